//! Synchronization primitives between processes, as in Python's multiprocessing.
//!
//! Each primitive lies in shared memory of its own, without a name that could be left behind. A clone is the same
//! primitive, and so is what another process receives: among the arguments of [`spawn`](crate::spawn) and of a pool's
//! initializer, or in a message of a [`Connection`](crate::Connection).
//!
//! # Processes that are killed
//!
//! | a process is killed while it … | effect |
//! |---|---|
//! | owns a [`Lock`] or an [`RLock`] | the lock is free at once; locking is [`LockError::OwnerDied`](crate::LockError::OwnerDied) until `recover` and `mark_consistent` |
//! | holds a [`Permit`] of a [`Semaphore`] | the permit is available to `recover`, and to others after `mark_consistent` |
//! | waits at a [`Condition`] | a notification that it had received passes on to another waiter, within about a second |
//! | waits at a [`Barrier`] | the barrier breaks, within about a second |
//! | waits for an [`Event`], or sets it | none: an event belongs to no process |
//! | changes any primitive | the next call repairs it; a wake-up that was not sent is made up for within about a second |
//! | has acquired from a [`BoundedSemaphore`] | the permit is missing until a process releases it: these permits have no owner |
//!
//! # Costs
//!
//! Locking and unlocking a lock that no other thread wants makes no system call. A waiting thread sleeps, and wakes once a
//! second to look whether its wake-up was lost; such a look costs the same whatever the number of waiting threads.
//!
//! # What another process can do
//!
//! A process that has a primitive can write anything into its memory. No pointer, and no number that is not checked, is
//! read from there, so that such a process cannot make others read or write outside the primitive's memory, nor crash
//! them. It can do this to their calls of the same primitive:
//!
//! - After it has overwritten all of the memory, calls fail with an error `Broken`; [`Event::is_set`], counts and the like
//!   return some value. Threads that wait already get the error within about a second.
//! - After it has overwritten a part, calls can also return too early (two threads own a lock), count wrongly, or wait
//!   until their time limit. Every wait has a form with one.

mod barrier;
mod bounded_semaphore;
mod condition;
mod event;
mod lock;
mod memory;
mod rlock;
mod semaphore;
mod slots;

pub use barrier::Barrier;
pub use bounded_semaphore::BoundedSemaphore;
pub use condition::{Condition, Guard};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{Permit, Semaphore};
