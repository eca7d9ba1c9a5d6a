//! A lock that tells its holder apart from others, so that a second attempt is an error, not a deadlock.

use crate::park::sys::atomic::{AtomicUsize, Ordering};
use crate::park::sys::{self, Mutex, MutexGuard};
use std::ops::{Deref, DerefMut};

/// A mutex that can remember who holds it.
pub(super) struct HolderLock<T> {
    value: Mutex<T>,
    /// The thread that said that it holds the lock; 0 is none.
    holder: AtomicUsize,
}

/// The calling thread asked for a lock that it holds: it comes from foreign code that it runs meanwhile.
pub(super) struct Reentered;

/// The locked value. The lock forgets its holder before it is unlocked.
pub(super) struct Held<'a, T> {
    guard: MutexGuard<'a, T>,
    holder: &'a AtomicUsize,
}

/// A number that no other live thread has.
fn thread_number() -> usize {
    sys::per_thread!(
        static HERE: u8 = const { 0 };
    );
    HERE.try_with(|here| std::ptr::from_ref(here).addr())
        .unwrap_or(usize::MAX)
}

impl<T> HolderLock<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            holder: AtomicUsize::new(0),
        }
    }

    /// Locks for a thread that runs no foreign code until it unlocks.
    pub(super) fn lock(&self) -> Held<'_, T> {
        let holder = &self.holder;
        Held {
            guard: self.value.lock(),
            holder,
        }
    }

    /// Locks, unless the calling thread has done so by this method already.
    pub(super) fn lock_as_holder(&self) -> Result<Held<'_, T>, Reentered> {
        let me = thread_number();
        // Only this thread stores its own number, so Relaxed tells the truth about it.
        if self.holder.load(Ordering::Relaxed) == me {
            return Err(Reentered);
        }
        let held = self.lock();
        held.holder.store(me, Ordering::Relaxed);
        Ok(held)
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
