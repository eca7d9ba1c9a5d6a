//! Taking turns, across processes: what Python's multiprocessing has beside its queues.
//!
//! Each lies in shared memory of its own, without a name that could be left behind. A clone is the same primitive, and so
//! is what another process gets: among the arguments of [`spawn`](crate::spawn) and of a pool's initializer, or in a
//! message of a [`Connection`](crate::Connection).
//!
//! Processes may be killed at any moment. Who held a [`Lock`], an [`RLock`] or a [`Permit`] of a [`Semaphore`] gives it up
//! with its death, and the next one learns of it ([`LockError::OwnerDied`](crate::LockError::OwnerDied)); who waited at a
//! [`Condition`] hands its wake-up on; who waited at a [`Barrier`] breaks it. Every wait has a form with a time limit.

mod barrier;
mod bounded_semaphore;
mod condition;
mod event;
mod lock;
mod memory;
mod places;
mod rlock;
mod semaphore;

pub use barrier::Barrier;
pub use bounded_semaphore::BoundedSemaphore;
pub use condition::{Condition, Guard};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{Permit, Semaphore};
