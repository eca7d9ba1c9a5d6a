//! Many readers or one writer.

use crate::signal::deadline;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// A value that many threads may read at a time, or one may change.
///
/// A waiting writer holds up new readers, so a thread that already reads must not wait for another read
/// guard. There is no poisoning.
///
/// # Examples
///
/// ```
/// use threads::RwLock;
///
/// let names = RwLock::new(vec!["main"]);
/// {
///     let (a, b) = (names.read(), names.try_read().expect("readers share"));
///     assert_eq!(a.len(), b.len());
///     assert!(names.try_write().is_none());
/// }
/// names.write().push("worker");
/// assert_eq!(names.into_inner(), ["main", "worker"]);
/// ```
pub struct RwLock<T: ?Sized> {
    inner: parking_lot::RwLock<T>,
}

/// Shared access to the value of an [`RwLock`]; releases it when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct ReadGuard<'a, T: ?Sized> {
    inner: parking_lot::RwLockReadGuard<'a, T>,
}

/// Sole access to the value of an [`RwLock`]; releases it when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct WriteGuard<'a, T: ?Sized> {
    inner: parking_lot::RwLockWriteGuard<'a, T>,
}

impl<T> RwLock<T> {
    /// Makes an unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            inner: parking_lot::RwLock::new(value),
        }
    }

    /// The value, without locking: the lock is no longer shared.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes or waits to write, and takes shared access.
    pub fn read(&self) -> ReadGuard<'_, T> {
        ReadGuard {
            inner: self.inner.read(),
        }
    }

    /// Takes shared access if it is free at this moment.
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        self.inner.try_read().map(|inner| ReadGuard { inner })
    }

    /// Waits for shared access for at most `timeout`. `None`: it was not free in time.
    pub fn read_for(&self, timeout: Duration) -> Option<ReadGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.read_until(at),
            None => Some(self.read()),
        }
    }

    /// Waits for shared access until `deadline`. `None`: it was not free in time.
    pub fn read_until(&self, deadline: Instant) -> Option<ReadGuard<'_, T>> {
        let inner = self.inner.try_read_until(deadline)?;
        Some(ReadGuard { inner })
    }

    /// Waits until nobody reads or writes, and takes sole access.
    pub fn write(&self) -> WriteGuard<'_, T> {
        WriteGuard {
            inner: self.inner.write(),
        }
    }

    /// Takes sole access if it is free at this moment.
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        self.inner.try_write().map(|inner| WriteGuard { inner })
    }

    /// Waits for sole access for at most `timeout`. `None`: it was not free in time.
    pub fn write_for(&self, timeout: Duration) -> Option<WriteGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.write_until(at),
            None => Some(self.write()),
        }
    }

    /// Waits for sole access until `deadline`. `None`: it was not free in time.
    pub fn write_until(&self, deadline: Instant) -> Option<WriteGuard<'_, T>> {
        let inner = self.inner.try_write_until(deadline)?;
        Some(WriteGuard { inner })
    }

    /// The value, without locking: `&mut self` proves that nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    /// Shows the value if nobody writes; does not wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Some(guard) => f.debug_tuple("RwLock").field(&&*guard).finish(),
            None => f.write_str("RwLock(<locked>)"),
        }
    }
}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
