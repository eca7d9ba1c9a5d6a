//! Counting permits.

use crate::error::OverRelease;
use crate::park::sys::atomic::{AtomicUsize, Ordering};
use crate::park::{WaitQueue, deadline};
use std::fmt;
use std::time::{Duration, Instant};

/// A number of permits that threads take and give back.
///
/// Any thread may [`release`](Self::release) any number of permits, also more than there were; a
/// [`BoundedSemaphore`] counts that as an error. Who waits is woken in the order of arrival, but a thread
/// that comes at the right moment may be served first, and one that asks for many permits may have to
/// watch others take a few. Without waiters no call enters the system.
///
/// # Examples
///
/// ```
/// use threads::Semaphore;
///
/// let connections = Semaphore::new(2);
/// let a = connections.acquire();
/// let b = connections.acquire();
/// assert!(connections.try_acquire().is_none());
/// drop(a);
/// assert!(connections.try_acquire().is_some());
/// # drop(b);
/// ```
pub struct Semaphore {
    /// Twice the number of free permits, plus `WAITED` while somebody may be on the list: one word, so that
    /// giving a permit back and looking for waiters is one step.
    state: AtomicUsize,
    waiters: WaitQueue,
    /// Waiters that want several permits at once. While there are any, a release wakes everyone: one permit
    /// may be of no use to the first in the queue and of use to the next.
    greedy: AtomicUsize,
}

const WAITED: usize = 1;
const PERMIT: usize = 2;

/// Permits taken from a [`Semaphore`]; given back when dropped, also by a panic.
#[must_use = "a permit that is dropped at once permits nothing"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl Semaphore {
    /// Makes a semaphore with `permits` free permits.
    ///
    /// # Panics
    /// If `permits` is more than half of `usize::MAX`.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            state: AtomicUsize::new(permits.checked_mul(PERMIT).expect("too many permits")),
            waiters: WaitQueue::new(),
            greedy: AtomicUsize::new(0),
        }
    }

    /// Waits for a permit and takes it.
    #[inline]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// Waits until `n` permits are free at once and takes them.
    #[inline]
    pub fn acquire_many(&self, n: usize) -> Permit<'_> {
        // Without a deadline the wait ends only with the permits taken.
        self.take(n, || None);
        self.permit(n)
    }

    /// Takes a permit if one is free at this moment.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if as many are free at this moment.
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Option<Permit<'_>> {
        self.try_take(n).then(|| self.permit(n))
    }

    /// Waits for a permit for at most `timeout`. `None`: none was free in time.
    pub fn acquire_for(&self, timeout: Duration) -> Option<Permit<'_>> {
        self.acquire_many_for(1, timeout)
    }

    /// Waits for a permit until `deadline`. `None`: none was free in time.
    pub fn acquire_until(&self, deadline: Instant) -> Option<Permit<'_>> {
        self.take(1, || Some(deadline)).then(|| self.permit(1))
    }

    /// Waits for `n` permits for at most `timeout`. `None`: they were not free at once in time.
    pub fn acquire_many_for(&self, n: usize, timeout: Duration) -> Option<Permit<'_>> {
        self.take(n, || deadline(timeout)).then(|| self.permit(n))
    }

    /// Adds `n` permits and wakes as many waiters.
    ///
    /// # Panics
    /// If there would be more than half of `usize::MAX` free permits.
    #[inline]
    pub fn release(&self, n: usize) {
        let added = n.checked_mul(PERMIT).expect("too many permits");
        // Release: what was done under the permit is seen by whoever takes it.
        let before = self.state.fetch_add(added, Ordering::Release);
        assert!(before.checked_add(added).is_some(), "too many permits");
        if before & WAITED != 0 {
            self.wake(n);
        }
    }

    /// How many permits are free at this moment.
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

    #[cold]
    fn wake(&self, n: usize) {
        // Read under the list's lock: who is on the list has been counted.
        let count = || match self.greedy.load(Ordering::Relaxed) {
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
        let greedy = usize::from(n > 1);
        // Before the registration, under whose lock it is read.
        self.greedy.fetch_add(greedy, Ordering::Relaxed);
        let poll = || self.try_take(n).then_some(());
        // AcqRel: a release that comes before finds its permits taken by the poll that follows, one that
        // comes after sees the flag.
        let mark = || _ = self.state.fetch_or(WAITED, Ordering::AcqRel);
        let taken = self.waiters.wait_marked(deadline, mark, poll).is_some();
        self.greedy.fetch_sub(greedy, Ordering::Relaxed);
        taken
    }
}

impl Permit<'_> {
    /// Keeps the permits taken for good: give them back by [`Semaphore::release`], from any thread.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.count);
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
/// Its permits are plain [`release`](Self::release) calls, made by any thread; one too many is an error
/// and changes nothing.
///
/// # Examples
///
/// ```
/// use threads::BoundedSemaphore;
///
/// let slots = BoundedSemaphore::new(1);
/// slots.acquire();
/// slots.release(1)?;
/// assert!(slots.release(1).is_err());
/// # Ok::<(), threads::OverRelease>(())
/// ```
#[derive(Debug)]
pub struct BoundedSemaphore {
    inner: Semaphore,
    bound: usize,
}

impl BoundedSemaphore {
    /// Makes a semaphore with `permits` free permits, which is also its bound.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            inner: Semaphore::new(permits),
            bound: permits,
        }
    }

    /// Waits for a permit and takes it.
    pub fn acquire(&self) {
        self.inner.acquire().forget();
    }

    /// Takes a permit if one is free at this moment, and returns whether it did.
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        self.inner.try_take(1)
    }

    /// Waits for a permit for at most `timeout`, and returns whether it was taken.
    #[must_use]
    pub fn acquire_for(&self, timeout: Duration) -> bool {
        self.inner.take(1, || deadline(timeout))
    }

    /// Waits for a permit until `deadline`, and returns whether it was taken.
    #[must_use]
    pub fn acquire_until(&self, deadline: Instant) -> bool {
        self.inner.take(1, || Some(deadline))
    }

    /// Gives `n` permits back and wakes as many waiters.
    ///
    /// # Errors
    /// [`OverRelease`], if more would be free than at the start; none is given back then.
    pub fn release(&self, n: usize) -> Result<(), OverRelease> {
        let add = |state: usize| {
            let free = (state / PERMIT).checked_add(n)?;
            (free <= self.bound).then(|| state + n * PERMIT)
        };
        // Release: as in `Semaphore::release`.
        let before = self
            .inner
            .state
            .fetch_update(Ordering::Release, Ordering::Relaxed, add)
            .map_err(|_| OverRelease)?;
        if before & WAITED != 0 {
            self.inner.wake(n);
        }
        Ok(())
    }

    /// How many permits are free at this moment.
    #[must_use]
    pub fn available(&self) -> usize {
        self.inner.available()
    }
}
