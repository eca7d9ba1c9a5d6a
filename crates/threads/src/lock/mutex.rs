//! Mutual exclusion.

use crate::lock::{Guard, Internal};
use crate::lockdep::{Held, Tag};
use crate::park::deadline;
use crate::park::sys;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// A value that one thread at a time may use.
///
/// There is no poisoning: a thread that panics while it holds the lock releases it, and the next one
/// finds the value as it was left. Releasing a lock that one does not hold cannot be written down.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use threads::Lock;
///
/// let balance = Arc::new(Lock::new(0));
/// let shared = balance.clone();
/// let mut thread = threads::spawn(move || *shared.lock() += 5)?;
/// *balance.lock() -= 5;
/// thread.join()?;
/// assert_eq!(*balance.lock(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Lock<T: ?Sized> {
    tag: Tag,
    inner: sys::Mutex<T>,
}

/// Access to the value of a [`Lock`]; releases it when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct LockGuard<'a, T: ?Sized> {
    inner: sys::MutexGuard<'a, T>,
    /// Dropped after the lock is released.
    held: Held,
}

impl<T> Lock<T> {
    /// Makes an unlocked lock around `value`.
    #[cfg(not(loom))]
    pub const fn new(value: T) -> Self {
        Self {
            tag: Tag::new(),
            inner: sys::Mutex::new(value),
        }
    }

    /// Makes an unlocked lock around `value`.
    #[cfg(loom)]
    pub fn new(value: T) -> Self {
        Self {
            tag: Tag::new(),
            inner: sys::Mutex::new(value),
        }
    }

    /// The value, without locking: the lock is no longer shared.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Waits until the lock is free and takes it.
    ///
    /// A thread that already holds it waits for ever; use [`try_lock`](Self::try_lock) or
    /// [`lock_for`](Self::lock_for) where that may happen.
    #[inline]
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock(&self) -> LockGuard<'_, T> {
        self.tag.wanted();
        LockGuard {
            inner: self.inner.lock(),
            held: self.tag.taken(),
        }
    }

    /// Takes the lock if it is free at this moment.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = threads::Lock::new(1);
    /// let guard = lock.lock();
    /// assert!(lock.try_lock().is_none());
    /// drop(guard);
    /// assert!(lock.try_lock().is_some());
    /// ```
    #[inline]
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        let held = self.tag.taken();
        Some(LockGuard { inner, held })
    }

    /// Waits for the lock for at most `timeout`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock_for(&self, timeout: Duration) -> Option<LockGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.lock_until(at),
            None => Some(self.lock()),
        }
    }

    /// Waits for the lock until `deadline`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock_until(&self, deadline: Instant) -> Option<LockGuard<'_, T>> {
        self.tag.wanted();
        let inner = self.inner.try_lock_until(deadline)?;
        let held = self.tag.taken();
        Some(LockGuard { inner, held })
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

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Lock<T> {
    /// Shows the value if the lock is free; does not wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("Lock").field(&&*guard).finish(),
            None => f.write_str("Lock(<locked>)"),
        }
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> Guard for LockGuard<'_, T> {
    #[cfg_attr(feature = "lockdep", track_caller)]
    fn released<R>(&mut self, _: Internal, f: impl FnOnce() -> R) -> R {
        let _given_up = self.held.given_up();
        sys::unlocked(&mut self.inner, f)
    }
}
