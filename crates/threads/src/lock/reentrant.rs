//! Mutual exclusion that its holder may enter again.

use crate::lock::{Guard, Internal};
use crate::lockdep::{Held, Tag};
use crate::park::deadline;
use parking_lot::ReentrantMutex;
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};

/// A value that one thread at a time may use, and that the same thread may lock again.
///
/// Each guard counts; the lock is free when the last one is dropped. Since a thread may hold several guards,
/// a guard gives shared access only: use a `Cell` or a `RefCell` inside for what changes. Releasing more
/// often than locking cannot be written down.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use threads::RLock;
///
/// let lock = RLock::new(Cell::new(1));
/// let outer = lock.lock();
/// let inner = lock.lock();
/// inner.set(outer.get() + 1);
/// assert_eq!(outer.get(), 2);
/// ```
pub struct RLock<T: ?Sized> {
    tag: Tag,
    inner: ReentrantMutex<Counted<T>>,
}

struct Counted<T: ?Sized> {
    /// The guards that the holder has.
    depth: Cell<usize>,
    value: T,
}

/// Access to the value of an [`RLock`]; releases one level when dropped.
#[must_use = "a guard that is dropped at once protects nothing"]
pub struct RLockGuard<'a, T: ?Sized> {
    lock: &'a RLock<T>,
    inner: parking_lot::ReentrantMutexGuard<'a, Counted<T>>,
    /// Dropped after the lock is released.
    held: Held,
}

impl<T> RLock<T> {
    /// Makes an unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            tag: Tag::new(),
            inner: ReentrantMutex::new(Counted {
                depth: Cell::new(0),
                value,
            }),
        }
    }

    /// The value, without locking: the lock is no longer shared.
    pub fn into_inner(self) -> T {
        self.inner.into_inner().value
    }
}

impl<T: ?Sized> RLock<T> {
    /// Waits until no other thread holds the lock and takes it, once more if need be.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock(&self) -> RLockGuard<'_, T> {
        self.tag.wanted_by_others();
        self.guard(self.inner.lock())
    }

    /// Takes the lock if no other thread holds it at this moment.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn try_lock(&self) -> Option<RLockGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        Some(self.guard(inner))
    }

    /// Waits for the lock for at most `timeout`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock_for(&self, timeout: Duration) -> Option<RLockGuard<'_, T>> {
        match deadline(timeout) {
            Some(at) => self.lock_until(at),
            None => Some(self.lock()),
        }
    }

    /// Waits for the lock until `deadline`. `None`: it was not free in time.
    #[cfg_attr(feature = "lockdep", track_caller)]
    pub fn lock_until(&self, deadline: Instant) -> Option<RLockGuard<'_, T>> {
        self.tag.wanted_by_others();
        let inner = self.inner.try_lock_until(deadline)?;
        Some(self.guard(inner))
    }

    /// Whether the calling thread holds the lock.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.inner.is_owned_by_current_thread()
    }

    #[cfg_attr(feature = "lockdep", track_caller)]
    fn guard<'a>(
        &'a self,
        inner: parking_lot::ReentrantMutexGuard<'a, Counted<T>>,
    ) -> RLockGuard<'a, T> {
        inner.depth.set(inner.depth.get() + 1);
        RLockGuard {
            lock: self,
            inner,
            held: self.tag.taken(),
        }
    }
}

impl<T: Default> Default for RLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RLock<T> {
    /// Shows the value if this thread may have it; does not wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("RLock").field(&&*guard).finish(),
            None => f.write_str("RLock(<locked>)"),
        }
    }
}

impl<T: ?Sized> Drop for RLockGuard<'_, T> {
    fn drop(&mut self) {
        self.inner.depth.set(self.inner.depth.get() - 1);
    }
}

impl<T: ?Sized> Deref for RLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Takes back every level that was released, also when the wait unwinds.
struct Relock<'a, T: ?Sized>(&'a RLock<T>, usize);

impl<T: ?Sized> Drop for Relock<'_, T> {
    fn drop(&mut self) {
        for _ in 0..self.1 {
            std::mem::forget(self.0.inner.lock());
        }
        // SAFETY: the lock is held again, so the count is this thread's.
        unsafe { (*self.0.inner.data_ptr()).depth.set(self.1) };
    }
}

impl<T: ?Sized> Guard for RLockGuard<'_, T> {
    /// Releases every level that the thread holds, as Python's condition does.
    #[cfg_attr(feature = "lockdep", track_caller)]
    fn released<R>(&mut self, _: Internal, f: impl FnOnce() -> R) -> R {
        let _given_up = self.held.given_up();
        let depth = self.inner.depth.replace(0);
        let _relock = Relock(self.lock, depth);
        for _ in 0..depth {
            // SAFETY: this thread holds `depth` levels, one for each of its guards, and none of them is
            // used before `Relock` has taken the levels back.
            unsafe { self.lock.inner.force_unlock() };
        }
        f()
    }
}
