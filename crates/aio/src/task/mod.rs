//! Tasks: their handle, their steps, and the table of those that are alive.

mod cleanup;
mod create;
mod ended;
mod flags;
mod group;
mod handle;
mod reference;
mod scope;
mod shield;
mod slot;
mod step;
mod table;
mod turn;
mod unseen;
mod waker;

pub use cleanup::{CancelGuard, on_cancel};
pub(crate) use cleanup::{Cleanup, Ending, finish_cleanups, spawn_cleanups, take as cleanups};
pub(crate) use create::spawn;
pub use create::{create_task, current_task, spawn_eager};
pub(crate) use ended::Ended;
pub(crate) use flags::Flags;
pub use group::{TaskGroup, task_group};
pub use handle::Task;
pub use reference::TaskRef;
pub(crate) use reference::cancel_here;
pub use scope::{Scope, ScopedTask, scope};
pub use shield::{Shield, shield};
pub(crate) use slot::{Body, Stage};
pub(crate) use table::{TaskKey, Tasks};
pub(crate) use turn::Queued;
pub(crate) use waker::Arrival;
