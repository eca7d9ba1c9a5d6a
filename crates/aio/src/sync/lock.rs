//! Mutual exclusion over awaits.

use std::{
    cell::{RefCell, RefMut},
    fmt,
    ops::{Deref, DerefMut},
};

use super::semaphore::Semaphore;
use crate::error::WouldBlock;

/// A value that one task at a time holds, also over its awaits.
///
/// Those who wait get it in the order in which they came; waiting is safe to cancel. A task that locks twice waits for
/// itself, for ever.
///
/// ```
/// use aio::sync::Lock;
///
/// let counter = Lock::new(0);
/// aio::run(aio::gather_settled((0..10).map(async |_| {
///     let mut value = counter.lock().await;
///     let before = *value;
///     aio::yield_now().await;
///     *value = before + 1;
/// })))?;
/// assert_eq!(counter.into_inner(), 10);
/// # Ok::<(), aio::RunError>(())
/// ```
pub struct Lock<T> {
    free: Semaphore,
    value: RefCell<T>,
}

impl<T> Lock<T> {
    /// A lock around `value`, free.
    pub fn new(value: T) -> Self {
        Lock {
            free: Semaphore::new(1),
            value: RefCell::new(value),
        }
    }

    /// Takes the lock, waiting for it if need be. It is free again when the guard is dropped.
    pub async fn lock(&self) -> LockGuard<'_, T> {
        self.free.take().await;
        self.guard()
    }

    /// Takes the lock if it is free and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`], when it is not.
    pub fn try_lock(&self) -> Result<LockGuard<'_, T>, WouldBlock> {
        if self.free.take_now() {
            Ok(self.guard())
        } else {
            Err(WouldBlock)
        }
    }

    /// Whether somebody holds it.
    pub fn is_locked(&self) -> bool {
        self.free.is_locked()
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    fn guard(&self) -> LockGuard<'_, T> {
        // Only whoever has the permit borrows.
        LockGuard {
            value: Some(self.value.borrow_mut()),
            lock: self,
        }
    }
}

/// The value of a [`Lock`] that is held. Dropping it frees the lock.
#[must_use = "the lock is free again when its guard is dropped"]
pub struct LockGuard<'a, T> {
    /// `None` only while it is dropped: the borrow ends before the next holder is called.
    value: Option<RefMut<'a, T>>,
    lock: &'a Lock<T>,
}

impl<'a, T> LockGuard<'a, T> {
    pub(super) fn lock(&self) -> &'a Lock<T> {
        self.lock
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.value {
            Some(value) => value,
            None => unreachable!("the guard is whole until it is dropped"),
        }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(value) => value,
            None => unreachable!("the guard is whole until it is dropped"),
        }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.lock.free.release();
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
