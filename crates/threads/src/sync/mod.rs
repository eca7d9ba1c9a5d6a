//! Synchronization primitives without a value: permits, flags, gates and meetings of threads.

mod barrier;
mod event;
mod latch;
mod semaphore;
mod wait_any;

pub use barrier::Barrier;
pub use event::Event;
pub use latch::Latch;
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
pub use wait_any::{Source, Waitable, wait_any, wait_any_for, wait_any_until};
