//! A lock that finds out that its holder asks for it again, so that a second attempt is an error, not a deadlock.

use crate::error::{GetError, PutError};
use crate::park::sys::atomic::{AtomicUsize, Ordering};
use crate::park::sys::{self, Mutex, MutexGuard};
use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// A mutex that can remember its holder.
pub(super) struct ReentrancyLock<T> {
    value: Mutex<T>,
    /// The thread that holds the lock, if it took it as one that calls user code; 0 is none.
    holder: AtomicUsize,
}

/// Why the lock was not taken.
pub(super) enum LockFailure {
    /// The calling thread holds the lock: the call comes from user code that it runs meanwhile.
    Reentered,
    /// Another thread held the lock until the deadline.
    TimedOut,
}

impl LockFailure {
    pub(super) fn put_error(self) -> PutError<()> {
        match self {
            Self::Reentered => PutError::Reentered(()),
            Self::TimedOut => PutError::TimedOut(()),
        }
    }

    pub(super) fn get_error(self) -> GetError {
        match self {
            Self::Reentered => GetError::Reentered,
            Self::TimedOut => GetError::TimedOut,
        }
    }
}

/// The locked value. The holder is erased before the lock is released.
pub(super) struct Held<'a, T> {
    guard: MutexGuard<'a, T>,
    holder: &'a AtomicUsize,
}

/// Returns a number that no other live thread has.
fn thread_number() -> usize {
    sys::per_thread!(
        static HERE: u8 = const { 0 };
    );
    HERE.try_with(|here| std::ptr::from_ref(here).addr())
        .unwrap_or(usize::MAX)
}

impl<T> ReentrancyLock<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            holder: AtomicUsize::new(0),
        }
    }

    /// Locks for a thread that calls no user code until it unlocks.
    pub(super) fn lock(&self) -> Held<'_, T> {
        Held {
            guard: self.value.lock(),
            holder: &self.holder,
        }
    }

    /// Locks for a thread that may call user code, waiting until `deadline()` at the latest.
    pub(super) fn lock_as_holder(
        &self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<Held<'_, T>, LockFailure> {
        let me = thread_number();
        // Only this thread stores its own number, so a Relaxed load finds it.
        if self.holder.load(Ordering::Relaxed) == me {
            return Err(LockFailure::Reentered);
        }
        let guard = match self.value.try_lock() {
            Some(guard) => guard,
            None => match deadline() {
                None => self.value.lock(),
                Some(at) => self.value.try_lock_until(at).ok_or(LockFailure::TimedOut)?,
            },
        };
        let holder = &self.holder;
        holder.store(me, Ordering::Relaxed);
        Ok(Held { guard, holder })
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.holder.store(0, Ordering::Relaxed);
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
