//! Mutual exclusion in the order of arrival.

use crate::lock::{Guard, Internal};
use crate::lockdep::{Held, Tag};
use crate::park::deadline;
use parking_lot::{FairMutex, FairMutexGuard};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// A value that one thread at a time may use, in the order of arrival.
///
/// A [`Lock`](crate::Lock) may be taken by a thread that just comes by before one that is still waking up,
/// which is faster on the whole but lets a busy thread keep the others waiting. A `FairLock` is handed to
/// the one that has waited longest; each handover costs a switch of threads.
///
/// # Examples
///
/// ```
/// let turns = threads::FairLock::new(Vec::new());
/// turns.lock().push("first");
/// assert_eq!(turns.into_inner(), ["first"]);
/// ```
pub struct FairLock<T: ?Sized> {
    tag: Tag,
    inner: FairMutex<T>,
}

/// Access to the value of a [`FairLock`]; releases it when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct FairLockGuard<'a, T: ?Sized> {
    inner: FairMutexGuard<'a, T>,
    /// Dropped after the lock is released.
    held: Held,
}

impl<T> FairLock<T> {
    /// Makes an unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            tag: Tag::new(),
            inner: FairMutex::new(value),
        }
    }

    /// The value, without locking: the lock is no longer shared.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> FairLock<T> {
    /// Waits until the lock is free and takes it.
    ///
    /// A thread that already holds it waits for ever; use [`try_lock`](Self::try_lock) or
    /// [`lock_for`](Self::lock_for) where that may happen.
    #[inline]
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock(&self) -> FairLockGuard<'_, T> {
        self.tag.wanted();
        FairLockGuard {
            inner: self.inner.lock(),
            held: self.tag.taken(),
        }
    }

    /// Takes the lock if it is free at this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = threads::FairLock::new(1);
    /// let guard = lock.lock();
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[inline]
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn try_lock(&self) -> Option<FairLockGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        let held = self.tag.taken();
        Some(FairLockGuard { inner, held })
    }

    /// Waits for the lock for at most `timeout`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock_for(&self, timeout: Duration) -> Option<FairLockGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.lock_until(at),
            None => Some(self.lock()),
        }
    }

    /// Waits for the lock until `deadline`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock_until(&self, deadline: Instant) -> Option<FairLockGuard<'_, T>> {
        self.tag.wanted();
        let inner = self.inner.try_lock_until(deadline)?;
        let held = self.tag.taken();
        Some(FairLockGuard { inner, held })
    }

    /// Whether someone holds the lock at this moment.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    /// The value, without locking: `&mut self` proves that nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: Default> Default for FairLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for FairLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for FairLock<T> {
    /// Shows the value if the lock is free; does not wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("FairLock").field(&&*guard).finish(),
            None => f.write_str("FairLock(<locked>)"),
        }
    }
}

impl<T: ?Sized> Deref for FairLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for FairLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for FairLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for FairLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> Guard for FairLockGuard<'_, T> {
    #[cfg_attr(feature = "lockdep", track_caller)]
    fn released<R>(&mut self, _: Internal, f: impl FnOnce() -> R) -> R {
        let _given_up = self.held.given_up();
        FairMutexGuard::unlocked(&mut self.inner, f)
    }
}
