//! Locks, events and queues between tasks of one loop, without atomics.

mod barrier;
mod condition;
mod event;
mod lock;
mod queue;
mod semaphore;
mod waiters;

pub use barrier::{Barrier, BarrierWait};
pub use condition::Condition;
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use queue::{BaseQueue, LifoQueue, PriorityQueue, Queue, Shutdown, Store};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
pub(crate) use waiters::Waiters;
