//! Watches the order in which locks are taken, and reports orders that may deadlock (feature `lockdep`).
//!
//! Two threads that take two locks in opposite orders deadlock only when they meet, which may be once in a
//! year. The order itself shows on every run: with this feature, each wait for a [`Lock`](crate::Lock),
//! [`RLock`](crate::RLock), [`RwLock`](crate::RwLock) or [`FairLock`](crate::FairLock) while another one is
//! held is noted, and the first wait that closes a circle is reported, before it begins: with the name of
//! each thread, the place where it took the lock it holds and the place where it waits for the next. Nobody
//! is stopped.
//!
//! - Each circle is reported once, to standard error or to the function given to [`set_hook`].
//! - A wait with a time limit counts: it would not last for ever, but to its limit. A `try_` form does not
//!   wait and closes no circle, yet what it took is held.
//! - Readers count like writers, since a waiting writer holds up readers.
//! - A [`Condition`](crate::Condition) takes its lock again after the wait: other locks held meanwhile come
//!   before it.
//! - A wait for a lock that the thread itself holds is a circle of one; an `RLock` may be entered again.
//! - The locks need not be in danger: circles that a further lock keeps from meeting are reported too.
//!
//! Without the feature there is no code and no field for it. With it, a lock taken while others are held
//! costs a look into a table that all threads share: meant for tests, not for what is measured.
//!
//! # Examples
//!
//! ```
//! use threads::{Lock, Queue, lockdep};
//!
//! let reports = Queue::unbounded();
//! let sink = reports.clone();
//! lockdep::set_hook(move |cycle| _ = sink.put(cycle.steps().len()));
//!
//! let (left, right) = (Lock::new(()), Lock::new(()));
//! {
//!     let _left = left.lock();
//!     let _right = right.lock();
//! }
//! let _right = right.lock();
//! let _left = left.lock();
//! assert_eq!(reports.try_get(), Ok(2));
//! ```

mod cycle;
mod graph;
mod held;
mod hook;

pub use cycle::{Cycle, Step};
pub(crate) use held::{Held, Tag};
pub use hook::{reset_hook, set_hook};
