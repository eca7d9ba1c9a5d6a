//! A lock for a few instructions, none of which runs foreign code.

use crate::park::sys::atomic::{AtomicBool, Ordering};
use crate::park::sys::{self, UnsafeCell};

/// Attempts with pauses only, then attempts with a yield between, before napping.
const SPINS: u32 = 7;
const YIELDS: u32 = 64;

/// Mutual exclusion whose release is a plain store: half the price of a lock that can park.
///
/// A holder may be preempted, so waiters yield after a short spin and at last sleep in naps; that keeps
/// a high-priority waiter from starving the holder for ever.
pub(crate) struct SpinLock<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` hands out the value to one thread at a time, so sharing the lock needs only `T: Send`.
unsafe impl<T: Send> Sync for SpinLock<T> {}
// SAFETY: moving the lock moves the value.
unsafe impl<T: Send> Send for SpinLock<T> {}

/// Releases on every path out of `with`.
struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release pairs with the Acquire of the next holder's exchange.
        self.0.store(false, Ordering::Release);
    }
}

impl<T> SpinLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            locked: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `f` on the value. `f` must be short and must not run code of the crate's user.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if !self.try_acquire() {
            self.acquire_slowly();
        }
        let _release = Release(&self.locked);
        self.value.with_mut(|value| {
            // SAFETY: the exchange succeeded, so no other thread is between it and its `Release`.
            f(unsafe { &mut *value })
        })
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        self.locked
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    fn acquire_slowly(&self) {
        let mut round = 0;
        loop {
            match round {
                0..SPINS => (0..1 << round).for_each(|_| sys::spin_loop()),
                SPINS..YIELDS => sys::yield_now(),
                _ => sys::nap(u64::from(round - YIELDS).clamp(1, 500)),
            }
            round += 1;
            // Look before writing: failed exchanges would steal the line from the holder.
            if !self.locked.load(Ordering::Relaxed) && self.try_acquire() {
                return;
            }
        }
    }
}
