//! Semaphores.

use crate::error::{OverRelease, TimedOut, WouldBlock};
use crate::park::sys::atomic::{AtomicUsize, Ordering};
use crate::park::{WaitQueue, deadline};
use std::fmt;
use std::time::{Duration, Instant};

/// A number of permits that threads acquire and release.
///
/// Any thread may [`release`](Self::release) any number of permits, also more than there were at the start. A
/// [`BoundedSemaphore`] refuses that. Waiting threads are woken in the order of arrival. A thread that arrives at
/// the right moment may acquire a permit before them, and one that waits for many may see others acquire a few.
/// Without waiting threads no call enters the system.
///
/// Dropping a semaphore needs no release of its permits. A [`Permit`] borrows it.
///
/// # Examples
///
/// ```
/// use threads::{Semaphore, WouldBlock};
///
/// let connections = Semaphore::new(2);
/// let a = connections.acquire();
/// let b = connections.acquire();
/// assert_eq!(connections.try_acquire().err(), Some(WouldBlock));
/// drop(a);
/// assert!(connections.try_acquire().is_ok());
/// # drop(b);
/// ```
#[must_use = "a semaphore does nothing unless its methods are called"]
pub struct Semaphore {
    /// Twice the number of free permits, plus `WAITED` while the list of waiters may not be empty: one word, so
    /// that releasing a permit and looking for waiters is one step.
    state: AtomicUsize,
    waiters: WaitQueue,
    /// Waiters that want several permits at once. While there are any, a release wakes every waiter: one permit
    /// may be of no use to the first in the queue and of use to the next.
    multi_waiters: AtomicUsize,
}

const WAITED: usize = 1;
const PERMIT: usize = 2;

/// Permits acquired from a [`Semaphore`]. They are released when it is dropped, also by a panic.
#[must_use = "a permit that is dropped at once permits nothing"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl Semaphore {
    /// The greatest number of free permits: an eighth of `usize::MAX`.
    pub const MAX_PERMITS: usize = usize::MAX / 8;

    /// Makes a semaphore with `permits` free permits, at most [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub fn new(permits: usize) -> Self {
        Self {
            state: AtomicUsize::new(permits.min(Self::MAX_PERMITS) * PERMIT),
            waiters: WaitQueue::new(),
            multi_waiters: AtomicUsize::new(0),
        }
    }

    /// Waits for a permit and acquires it.
    #[inline]
    #[doc(alias = "wait")]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// Waits until `n` permits are free at once and acquires them.
    ///
    /// For more than [`MAX_PERMITS`](Self::MAX_PERMITS) it waits for ever.
    #[inline]
    pub fn acquire_many(&self, n: usize) -> Permit<'_> {
        // Without a deadline the wait ends only with the permits acquired.
        self.take(n, || None);
        self.permit(n)
    }

    /// Acquires a permit if one is free at this moment.
    ///
    /// # Errors
    /// [`WouldBlock`], if none is.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, WouldBlock> {
        self.try_acquire_many(1)
    }

    /// Acquires `n` permits if as many are free at this moment.
    ///
    /// # Errors
    /// [`WouldBlock`], if fewer are.
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Result<Permit<'_>, WouldBlock> {
        self.try_take(n).then(|| self.permit(n)).ok_or(WouldBlock)
    }

    /// Waits for a permit for at most `timeout` and acquires it.
    ///
    /// # Errors
    /// [`TimedOut`], if none was free in time.
    pub fn acquire_for(&self, timeout: Duration) -> Result<Permit<'_>, TimedOut> {
        self.acquire_many_for(1, timeout)
    }

    /// Waits for a permit until `deadline` and acquires it.
    ///
    /// # Errors
    /// [`TimedOut`], if none was free in time.
    pub fn acquire_until(&self, deadline: Instant) -> Result<Permit<'_>, TimedOut> {
        self.acquire_many_until(1, deadline)
    }

    /// Waits for `n` permits for at most `timeout` and acquires them.
    ///
    /// # Errors
    /// [`TimedOut`], if as many were not free at once in time.
    pub fn acquire_many_for(&self, n: usize, timeout: Duration) -> Result<Permit<'_>, TimedOut> {
        self.take(n, || deadline(timeout))
            .then(|| self.permit(n))
            .ok_or(TimedOut)
    }

    /// Waits for `n` permits until `deadline` and acquires them.
    ///
    /// # Errors
    /// [`TimedOut`], if as many were not free at once in time.
    pub fn acquire_many_until(&self, n: usize, deadline: Instant) -> Result<Permit<'_>, TimedOut> {
        self.take(n, || Some(deadline))
            .then(|| self.permit(n))
            .ok_or(TimedOut)
    }

    /// Adds `n` permits and wakes as many waiting threads.
    ///
    /// # Errors
    /// [`OverRelease`], if more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free. None is added then.
    #[inline]
    pub fn release(&self, n: usize) -> Result<(), OverRelease> {
        if n != 1 {
            return self.release_within(n, Self::MAX_PERMITS);
        }
        // One instruction that reads nothing before. The room above `MAX_PERMITS` is enough for as many threads
        // as there can be. Release: what was done under the permit is visible to whichever thread acquires it.
        let before = self.state.fetch_add(PERMIT, Ordering::Release);
        if before / PERMIT >= Self::MAX_PERMITS {
            self.state.fetch_sub(PERMIT, Ordering::Relaxed);
            return Err(OverRelease);
        }
        if before & WAITED != 0 {
            self.wake(1);
        }
        Ok(())
    }

    /// Returns how many permits are free at this moment.
    #[must_use]
    pub fn available(&self) -> usize {
        self.state.load(Ordering::Acquire) / PERMIT
    }

    fn permit(&self, count: usize) -> Permit<'_> {
        Permit {
            semaphore: self,
            count,
        }
    }

    /// Adds `n` permits unless more than `bound` would be free.
    fn release_within(&self, n: usize, bound: usize) -> Result<(), OverRelease> {
        let add = |state: usize| {
            let free = (state / PERMIT).checked_add(n)?;
            (free <= bound).then(|| state + n * PERMIT)
        };
        // Release: as in `release`.
        let before = self
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, add)
            .map_err(|_| OverRelease)?;
        if before & WAITED != 0 {
            self.wake(n);
        }
        Ok(())
    }

    #[cold]
    fn wake(&self, n: usize) {
        // Read under the list's lock: each waiter on the list has been counted.
        let count = || match self.multi_waiters.load(Ordering::Relaxed) {
            0 => n,
            _ => usize::MAX,
        };
        self.waiters.wake_with(count, |left| {
            if left == 0 {
                self.state.fetch_and(!WAITED, Ordering::Relaxed);
            }
        });
    }

    #[inline]
    fn try_take(&self, n: usize) -> bool {
        let Some(wanted) = n.checked_mul(PERMIT) else {
            return false;
        };
        let mut state = self.state.load(Ordering::Relaxed);
        while let Some(rest) = state.checked_sub(wanted) {
            // Acquire pairs with the Release in `release`.
            match self.state.compare_exchange_weak(
                state,
                rest,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[inline]
    fn take(&self, n: usize, deadline: impl FnOnce() -> Option<Instant>) -> bool {
        self.try_take(n) || self.take_slowly(n, deadline())
    }

    #[cold]
    fn take_slowly(&self, n: usize, deadline: Option<Instant>) -> bool {
        let several = usize::from(n > 1);
        // Before the registration, under whose lock it is read.
        self.multi_waiters.fetch_add(several, Ordering::Relaxed);
        let poll = || self.try_take(n).then_some(());
        // AcqRel: a release that comes before finds its permits taken by the poll that follows, one that
        // comes after sees the flag.
        let mark = || _ = self.state.fetch_or(WAITED, Ordering::AcqRel);
        let taken = self.waiters.wait_marked(deadline, mark, poll).is_some();
        self.multi_waiters.fetch_sub(several, Ordering::Relaxed);
        taken
    }
}

impl Permit<'_> {
    /// Gives up the obligation to release the permits. [`Semaphore::release`] releases them, from any thread.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // Fails only if other releases have filled the semaphore: then there is nothing to add.
        let _ = self.semaphore.release(self.count);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.count).finish()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

/// A semaphore that never has more free permits than at its start.
///
/// Its permits have no guard: any thread may [`release`](Self::release) what any thread has acquired. One too many
/// is an error and changes nothing.
///
/// # Examples
///
/// ```
/// use threads::{BoundedSemaphore, OverRelease};
///
/// let slots = BoundedSemaphore::new(1);
/// slots.acquire();
/// slots.release(1)?;
/// assert_eq!(slots.release(1), Err(OverRelease));
/// # Ok::<(), threads::OverRelease>(())
/// ```
#[derive(Debug)]
#[must_use = "a semaphore does nothing unless its methods are called"]
pub struct BoundedSemaphore {
    inner: Semaphore,
    bound: usize,
}

impl BoundedSemaphore {
    /// Makes a semaphore with `permits` free permits, which is also its bound.
    ///
    /// It is at most [`Semaphore::MAX_PERMITS`].
    pub fn new(permits: usize) -> Self {
        Self {
            inner: Semaphore::new(permits),
            bound: permits.min(Semaphore::MAX_PERMITS),
        }
    }

    /// Waits for a permit and acquires it.
    pub fn acquire(&self) {
        self.inner.acquire().forget();
    }

    /// Acquires a permit if one is free at this moment.
    ///
    /// # Errors
    /// [`WouldBlock`], if none is.
    pub fn try_acquire(&self) -> Result<(), WouldBlock> {
        self.inner.try_acquire().map(Permit::forget)
    }

    /// Waits for a permit for at most `timeout` and acquires it.
    ///
    /// # Errors
    /// [`TimedOut`], if none was free in time.
    pub fn acquire_for(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.inner.acquire_for(timeout).map(Permit::forget)
    }

    /// Waits for a permit until `deadline` and acquires it.
    ///
    /// # Errors
    /// [`TimedOut`], if none was free in time.
    pub fn acquire_until(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.inner.acquire_until(deadline).map(Permit::forget)
    }

    /// Releases `n` permits and wakes as many waiting threads.
    ///
    /// # Errors
    /// [`OverRelease`], if more would be free than at the start. None is released then.
    pub fn release(&self, n: usize) -> Result<(), OverRelease> {
        self.inner.release_within(n, self.bound)
    }

    /// Returns how many permits are free at this moment.
    #[must_use]
    pub fn available(&self) -> usize {
        self.inner.available()
    }
}
