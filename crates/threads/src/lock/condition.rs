//! Waiting, with a lock released, until another thread says that something changed.

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

/// What only this crate can make: other guards of a reentrant lock may be alive, so a release is sound only
/// while `f` is known not to touch what they protect.
#[derive(Debug)]
pub struct Internal(());

/// A place to wait for a change of what a lock protects.
///
/// Whoever waits is on the list before the lock is released, so a notification by a thread that holds the
/// lock is never missed. `notify(n)` wakes exactly `n` of the waiting threads, the longest waiting first; a
/// notification without waiters is not remembered. Nobody wakes without cause, but between the
/// notification and the return another thread may have taken the lock and changed the value again: use
/// the `wait_while` forms to check.
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
pub struct Condition {
    waiters: Mutex<WaitList>,
}

impl Condition {
    /// Makes a condition on which nobody waits.
    #[cfg(not(loom))]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            waiters: Mutex::new(WaitList::new()),
        }
    }

    /// Makes a condition on which nobody waits.
    #[cfg(loom)]
    #[must_use]
    pub fn new() -> Self {
        Self {
            waiters: Mutex::new(WaitList::new()),
        }
    }

    /// Releases the lock, waits for a notification, and takes the lock again.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait<G: Guard>(&self, guard: &mut G) {
        self.sleep(guard, None);
    }

    /// Waits for a notification for at most `timeout`. False: none came in time. The lock is held again
    /// in either case.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_for<G: Guard>(&self, guard: &mut G, timeout: Duration) -> bool {
        self.sleep(guard, deadline(timeout))
    }

    /// Waits for a notification until `deadline`. False: none came in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_until<G: Guard>(&self, guard: &mut G, deadline: Instant) -> bool {
        self.sleep(guard, Some(deadline))
    }

    /// Waits as long as `condition` holds; it is checked first and after each notification, always with
    /// the lock held.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_while<G: Guard>(&self, guard: &mut G, condition: impl FnMut(&G::Target) -> bool) {
        self.sleep_while(guard, condition, None);
    }

    /// Waits as long as `condition` holds, at most `timeout`. Returns whether it no longer holds, checked
    /// a last time when the time is over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{Condition, Lock};
    ///
    /// let (lock, changed) = (Lock::new(0), Condition::new());
    /// let mut guard = lock.lock();
    /// assert!(!changed.wait_while_for(&mut guard, |n| *n == 0, Duration::from_millis(1)));
    /// assert!(changed.wait_while_for(&mut guard, |n| *n == 1, Duration::from_millis(1)));
    /// ```
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_while_for<G: Guard>(
        &self,
        guard: &mut G,
        condition: impl FnMut(&G::Target) -> bool,
        timeout: Duration,
    ) -> bool {
        self.sleep_while(guard, condition, deadline(timeout))
    }

    /// Waits as long as `condition` holds, until `deadline`. Returns whether it no longer holds.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn wait_while_until<G: Guard>(
        &self,
        guard: &mut G,
        condition: impl FnMut(&G::Target) -> bool,
        deadline: Instant,
    ) -> bool {
        self.sleep_while(guard, condition, Some(deadline))
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
        // Whoever is off the list was notified, even if the time ran out at the same moment: the
        // notifier counted on this thread.
        guard.released(Internal(()), || {
            waiter.wait(deadline) || self.waiters.lock().remove(&waiter).is_none()
        })
    }

    #[cfg_attr(feature = "lockdep", track_caller)]
    fn sleep_while<G: Guard>(
        &self,
        guard: &mut G,
        mut condition: impl FnMut(&G::Target) -> bool,
        deadline: Option<Instant>,
    ) -> bool {
        while condition(guard) {
            if !self.sleep(guard, deadline) {
                return !condition(guard);
            }
        }
        true
    }
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
