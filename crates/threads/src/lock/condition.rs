//! Conditions: waiting, with a lock released, until another thread reports a change.

use crate::error::TimedOut;
use crate::park::sys::Mutex;
use crate::park::{Entry, WaitList, Waiter, deadline};
use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};

/// A guard whose lock a [`Condition`] releases while it waits.
///
/// The guards of this crate's locks implement it; it is sealed.
pub trait Guard: Deref {
    /// Releases the lock, runs `f`, and takes the lock again.
    #[doc(hidden)]
    fn released<R>(&mut self, internal: Internal, f: impl FnOnce() -> R) -> R;
}

/// A value that only this crate can make. Other guards of a reentrant lock may be alive, so a release is sound
/// only while `f` is known not to touch what they protect.
#[derive(Debug)]
pub struct Internal(());

/// A place to wait for a change of what a lock protects.
///
/// A waiting thread is on the list before the lock is released, so a notification by a thread that holds the
/// lock is never missed. `notify(n)` wakes exactly `n` of the waiting threads, the longest waiting first. A
/// notification without waiting threads is not remembered. There are no spurious wakeups, but between the
/// notification and the return another thread may have acquired the lock and changed the value again: the
/// `wait_while` forms check.
///
/// Time limits bound the wait for the notification. Acquiring the lock again may take longer.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use threads::{Condition, Lock};
///
/// let shared = Arc::new((Lock::new(false), Condition::new()));
/// let other = shared.clone();
/// let mut thread = threads::spawn(move || {
///     *other.0.lock() = true;
///     other.1.notify(1);
/// })?;
/// let mut ready = shared.0.lock();
/// shared.1.wait_while(&mut ready, |ready| !*ready);
/// assert!(*ready);
/// drop(ready);
/// thread.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Condvar")]
#[must_use = "a condition does nothing unless its methods are called"]
pub struct Condition {
    waiters: Mutex<WaitList>,
}

impl Condition {
    /// Makes a condition without waiting threads.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            waiters: Mutex::new(WaitList::new()),
        }
    }

    /// Makes a condition without waiting threads.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            waiters: Mutex::new(WaitList::new()),
        }
    }

    /// Releases the lock, waits for a notification, and acquires the lock again.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait<G: Guard>(&self, guard: &mut G) {
        self.sleep(guard, None);
    }

    /// Waits for a notification for at most `timeout`. The lock is held again in either case.
    ///
    /// # Errors
    /// [`TimedOut`], if no notification came in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_for<G: Guard>(&self, guard: &mut G, timeout: Duration) -> Result<(), TimedOut> {
        notified(self.sleep(guard, deadline(timeout)))
    }

    /// Waits for a notification until `deadline`. The lock is held again in either case.
    ///
    /// # Errors
    /// [`TimedOut`], if no notification came in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_until<G: Guard>(&self, guard: &mut G, deadline: Instant) -> Result<(), TimedOut> {
        notified(self.sleep(guard, Some(deadline)))
    }

    /// Waits while `predicate` holds. It is called first and after each notification, with the lock held.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_while<G: Guard>(&self, guard: &mut G, predicate: impl FnMut(&G::Target) -> bool) {
        self.sleep_while(guard, None, predicate);
    }

    /// Waits while `predicate` holds, for at most `timeout`.
    ///
    /// # Errors
    /// [`TimedOut`], if it still holds then, checked a last time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{Condition, Lock, TimedOut};
    ///
    /// let (lock, changed) = (Lock::new(0), Condition::new());
    /// let mut guard = lock.lock();
    /// let soon = Duration::from_millis(1);
    /// assert_eq!(changed.wait_while_for(&mut guard, soon, |n| *n == 0), Err(TimedOut));
    /// assert_eq!(changed.wait_while_for(&mut guard, soon, |n| *n == 1), Ok(()));
    /// ```
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_while_for<G: Guard>(
        &self,
        guard: &mut G,
        timeout: Duration,
        predicate: impl FnMut(&G::Target) -> bool,
    ) -> Result<(), TimedOut> {
        notified(self.sleep_while(guard, deadline(timeout), predicate))
    }

    /// Waits while `predicate` holds, at most until `deadline`.
    ///
    /// # Errors
    /// [`TimedOut`], if it still holds then, checked a last time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_while_until<G: Guard>(
        &self,
        guard: &mut G,
        deadline: Instant,
        predicate: impl FnMut(&G::Target) -> bool,
    ) -> Result<(), TimedOut> {
        notified(self.sleep_while(guard, Some(deadline), predicate))
    }

    /// Wakes up to `n` of the waiting threads and returns how many.
    pub fn notify(&self, n: usize) -> usize {
        let woken = self.waiters.lock().pop_many(n);
        let count = woken.len();
        woken.notify_all();
        count
    }

    /// Wakes every waiting thread and returns how many there were.
    pub fn notify_all(&self) -> usize {
        self.notify(usize::MAX)
    }

    #[cfg_attr(feature = "lockdep", track_caller)]
    fn sleep<G: Guard>(&self, guard: &mut G, deadline: Option<Instant>) -> bool {
        let waiter = Waiter::new();
        let entry = Entry::new(waiter.clone());
        self.waiters.lock().push(entry);
        // A waiter that is off the list was notified, even if the time ran out at the same moment: the notifier
        // counted on this thread.
        guard.released(Internal(()), || {
            waiter.wait(deadline) || self.waiters.lock().remove(&waiter).is_none()
        })
    }

    #[cfg_attr(feature = "lockdep", track_caller)]
    fn sleep_while<G: Guard>(
        &self,
        guard: &mut G,
        deadline: Option<Instant>,
        mut predicate: impl FnMut(&G::Target) -> bool,
    ) -> bool {
        while predicate(guard) {
            if !self.sleep(guard, deadline) {
                return !predicate(guard);
            }
        }
        true
    }
}

fn notified(notified: bool) -> Result<(), TimedOut> {
    notified.then_some(()).ok_or(TimedOut)
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").finish_non_exhaustive()
    }
}
