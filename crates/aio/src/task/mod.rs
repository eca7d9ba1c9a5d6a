//! Tasks: their handle, their body, and the list of those that are alive.

mod body;
mod create;
mod handle;
mod reference;
mod registry;

pub(crate) use body::Body;
pub(crate) use create::spawn;
pub use create::{create_task, current_task};
pub use handle::Task;
pub use reference::TaskRef;
pub(crate) use reference::cancel_here;
pub(crate) use registry::{Flags, Registry, TaskKey};
