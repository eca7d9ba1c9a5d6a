//! Locks, and the condition that waits with one of them released.

mod condition;
mod fair;
mod mutex;
mod reentrant;
mod rw;

pub use condition::{Condition, Guard, Internal};
pub use fair::{FairLock, FairLockGuard};
pub use mutex::{Lock, LockGuard};
pub use reentrant::{RLock, RLockGuard};
pub use rw::{ReadGuard, RwLock, WriteGuard};
