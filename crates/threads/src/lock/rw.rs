//! Many readers or one writer.

use crate::lockdep::{Held, Tag};
use crate::park::deadline;
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
    tag: Tag,
    inner: parking_lot::RwLock<T>,
}

/// Shared access to the value of an [`RwLock`]; releases it when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct ReadGuard<'a, T: ?Sized> {
    inner: parking_lot::RwLockReadGuard<'a, T>,
    /// Dropped after the lock is released.
    _held: Held,
}

/// Sole access to the value of an [`RwLock`]; releases it when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct WriteGuard<'a, T: ?Sized> {
    inner: parking_lot::RwLockWriteGuard<'a, T>,
    /// Dropped after the lock is released.
    _held: Held,
}

impl<T> RwLock<T> {
    /// Makes an unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            tag: Tag::new(),
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
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn read(&self) -> ReadGuard<'_, T> {
        self.tag.wanted();
        ReadGuard {
            inner: self.inner.read(),
            _held: self.tag.taken(),
        }
    }

    /// Takes shared access if it is free at this moment.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        let inner = self.inner.try_read()?;
        let _held = self.tag.taken();
        Some(ReadGuard { inner, _held })
    }

    /// Waits for shared access for at most `timeout`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn read_for(&self, timeout: Duration) -> Option<ReadGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.read_until(at),
            None => Some(self.read()),
        }
    }

    /// Waits for shared access until `deadline`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn read_until(&self, deadline: Instant) -> Option<ReadGuard<'_, T>> {
        self.tag.wanted();
        let inner = self.inner.try_read_until(deadline)?;
        let _held = self.tag.taken();
        Some(ReadGuard { inner, _held })
    }

    /// Waits until nobody reads or writes, and takes sole access.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn write(&self) -> WriteGuard<'_, T> {
        self.tag.wanted();
        WriteGuard {
            inner: self.inner.write(),
            _held: self.tag.taken(),
        }
    }

    /// Takes sole access if it is free at this moment.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        let inner = self.inner.try_write()?;
        let _held = self.tag.taken();
        Some(WriteGuard { inner, _held })
    }

    /// Waits for sole access for at most `timeout`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn write_for(&self, timeout: Duration) -> Option<WriteGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.write_until(at),
            None => Some(self.write()),
        }
    }

    /// Waits for sole access until `deadline`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn write_until(&self, deadline: Instant) -> Option<WriteGuard<'_, T>> {
        self.tag.wanted();
        let inner = self.inner.try_write_until(deadline)?;
        let _held = self.tag.taken();
        Some(WriteGuard { inner, _held })
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
