//! Permits without owners, never more than there were at first.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use crate::error::{CreateError, LockError, ReleaseError};
use crate::sys;

use super::memory::{Kind, Memory, Recheck, shared_handle};

/// The number of permits that can be acquired now, times [`ONE`], and [`WAITERS`].
const COUNT: usize = 0;
const ONE: u32 = 2;
/// Threads sleep until there is a permit.
const WAITERS: u32 = 1;
/// The number of permits at first, times [`ONE`].
const BOUND: usize = 64;
const MAX: usize = (u32::MAX / ONE) as usize;

/// A number of permits without owners: one process may acquire what another releases.
///
/// Acquiring takes a permit away, releasing gives it back, and giving back more than was taken is an error. What a process
/// had acquired when it was killed is missing until a process releases it. For permits that come back by themselves use a
/// [`Semaphore`](super::Semaphore).
///
/// ```
/// use procs::{LockError, ReleaseError};
/// use procs::sync::BoundedSemaphore;
///
/// let tickets = BoundedSemaphore::new(2)?;
/// tickets.acquire()?;
/// tickets.try_acquire()?;
/// assert_eq!(tickets.try_acquire(), Err(LockError::WouldBlock));
/// tickets.release(2)?;
/// assert_eq!(tickets.release(1), Err(ReleaseError::TooMany));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Sem")]
#[derive(Clone)]
#[must_use = "a primitive does nothing unless its methods are called"]
pub struct BoundedSemaphore(Arc<Memory>);

impl BoundedSemaphore {
    /// Makes a semaphore with this number of permits (0 to 2,147,483,647), of which it never has more.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](CreateError::OutOfRange), or the system refuses: too many open files, no address space.
    pub fn new(permits: usize) -> Result<Self, CreateError> {
        let count = times_one(permits).ok_or(CreateError::OutOfRange {
            given: permits,
            min: 0,
            max: MAX,
        })?;
        let memory = Memory::new(Kind::BoundedSemaphore)?;
        memory.half_word(COUNT).store(count, SeqCst);
        memory.half_word(BOUND).store(count, SeqCst);
        Ok(Self(memory))
    }

    /// Acquires a permit. Blocks while there is none.
    ///
    /// # Errors
    ///
    /// [`Broken`](LockError::Broken).
    #[doc(alias = "sem_wait")]
    pub fn acquire(&self) -> Result<(), LockError> {
        self.acquire_by(None)
    }

    /// Acquires a permit if there is one.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](LockError::WouldBlock) when there is none, and [`Broken`](LockError::Broken).
    pub fn try_acquire(&self) -> Result<(), LockError> {
        if !self.0.is_intact() {
            return Err(LockError::Broken);
        }
        if self.take(0) {
            Ok(())
        } else {
            Err(LockError::WouldBlock)
        }
    }

    /// Acquires a permit. Blocks while there is none, at most for `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut) and [`Broken`](LockError::Broken).
    pub fn acquire_for(&self, time: Duration) -> Result<(), LockError> {
        self.acquire_by(Instant::now().checked_add(time))
    }

    /// Acquires a permit. Blocks while there is none, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](LockError::TimedOut) and [`Broken`](LockError::Broken).
    pub fn acquire_until(&self, deadline: Instant) -> Result<(), LockError> {
        self.acquire_by(Some(deadline))
    }

    /// Takes a permit, if there is one, and adds flags.
    fn take(&self, flags: u32) -> bool {
        let less = |count: u32| count.checked_sub(ONE).map(|count| count | flags);
        self.0
            .half_word(COUNT)
            .fetch_update(SeqCst, SeqCst, less)
            .is_ok()
    }

    fn acquire_by(&self, deadline: Option<Instant>) -> Result<(), LockError> {
        let count = self.0.half_word(COUNT);
        // Other threads may still sleep, so the flag for them is set again.
        let mut flags = 0;
        let mut recheck = Recheck::new();
        loop {
            if !self.0.is_intact() {
                return Err(LockError::Broken);
            }
            if self.take(flags) {
                return Ok(());
            }
            let seen = count.load(SeqCst);
            if seen >= ONE {
                continue;
            }
            let marked = seen | WAITERS;
            if seen == marked || count.compare_exchange(seen, marked, SeqCst, SeqCst).is_ok() {
                let time = recheck.next_sleep(deadline).ok_or(LockError::TimedOut)?;
                sys::futex_wait(&self.0, COUNT, marked, time);
                flags = WAITERS;
            }
        }
    }

    /// Releases this number of permits, whichever process had acquired them.
    ///
    /// # Errors
    ///
    /// [`TooMany`](ReleaseError::TooMany) when there would be more than at first; then none is released. Also
    /// [`Broken`](ReleaseError::Broken).
    #[doc(alias = "sem_post")]
    pub fn release(&self, permits: usize) -> Result<(), ReleaseError> {
        if !self.0.is_intact() {
            return Err(ReleaseError::Broken);
        }
        let added = times_one(permits).ok_or(ReleaseError::TooMany)?;
        let bound = self.0.half_word(BOUND).load(SeqCst) | WAITERS;
        let more = |count: u32| count.checked_add(added).filter(|count| *count <= bound);
        let count = self.0.half_word(COUNT);
        let before = count
            .fetch_update(SeqCst, SeqCst, more)
            .map_err(|_| ReleaseError::TooMany)?;
        if before & WAITERS != 0 && permits > 0 {
            let woken = sys::futex_wake(&self.0, COUNT, i32::try_from(permits).unwrap_or(i32::MAX));
            if woken < permits {
                // No thread sleeps any more, unless the word has changed since.
                let now = before + added;
                let _ = count.compare_exchange(now, now & !WAITERS, SeqCst, Relaxed);
            }
        }
        Ok(())
    }

    /// Returns the number of permits that can be acquired at this moment.
    pub fn available(&self) -> usize {
        (self.0.half_word(COUNT).load(SeqCst) / ONE) as usize
    }
}

fn times_one(permits: usize) -> Option<u32> {
    u32::try_from(permits).ok()?.checked_mul(ONE)
}

shared_handle!(BoundedSemaphore, "available": available);
