//! Permits without owners, never more than there were at first.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{OverRelease, SystemError};
use crate::sys;

use super::memory::{Kind, Memory, WORDS, nap};

/// How many permits can be acquired now; those who wait sleep on its being 0.
const COUNT: usize = WORDS;
/// How many there were at first.
const BOUND: usize = WORDS + 8;
/// How many wait. One who is killed is counted for ever, which costs a system call now and then.
const WAITERS: usize = WORDS + 64;

/// A number of permits that nobody owns: one process may acquire what another releases.
///
/// Acquiring takes one away, releasing gives back, and giving back more than was taken is an error. Nobody knows whose a
/// permit is: what a process had acquired when it was killed is missing until somebody releases it. For permits that come
/// back by themselves use a [`Semaphore`](super::Semaphore).
///
/// ```
/// use procs::OverRelease;
/// use procs::sync::BoundedSemaphore;
///
/// let tickets = BoundedSemaphore::new(2)?;
/// tickets.acquire();
/// assert!(tickets.try_acquire());
/// assert!(!tickets.try_acquire());
/// tickets.release(2)?;
/// assert_eq!(tickets.release(1), Err(OverRelease));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BoundedSemaphore(Arc<Memory>);

impl BoundedSemaphore {
    /// A new semaphore with so many permits, of which it never has more. Beyond 4,294,967,295 it has that many.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(permits: usize) -> Result<Self, SystemError> {
        let memory = Memory::new(Kind::BoundedSemaphore)?;
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        memory.half_word(COUNT).store(permits, SeqCst);
        memory.half_word(BOUND).store(permits, SeqCst);
        Ok(Self(memory))
    }

    /// Acquires a permit; waits while there is none.
    pub fn acquire(&self) {
        // Without a deadline it cannot be too late.
        self.acquire_by(None);
    }

    /// Acquires a permit if there is one. False: there is none.
    pub fn try_acquire(&self) -> bool {
        let count = self.0.half_word(COUNT);
        count
            .fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1))
            .is_ok()
    }

    /// Acquires a permit; waits while there is none, but no longer than `time`. False: there was none.
    pub fn acquire_for(&self, time: Duration) -> bool {
        self.acquire_by(Instant::now().checked_add(time))
    }

    /// Acquires a permit; waits while there is none, but not beyond `deadline`. False: there was none.
    pub fn acquire_until(&self, deadline: Instant) -> bool {
        self.acquire_by(Some(deadline))
    }

    fn acquire_by(&self, deadline: Option<Instant>) -> bool {
        let waiters = self.0.word(WAITERS);
        while !self.try_acquire() {
            let Some(time) = nap(deadline) else {
                return false;
            };
            // Before the sleep looks at the count: whoever changes that later sees somebody waiting.
            waiters.fetch_add(1, SeqCst);
            sys::futex_wait(&self.0, COUNT, 0, time);
            waiters.fetch_sub(1, SeqCst);
        }
        true
    }

    /// Releases so many permits, whoever had acquired them.
    ///
    /// # Errors
    ///
    /// When there would be more than at first; then none is released.
    pub fn release(&self, permits: usize) -> Result<(), OverRelease> {
        let added = u32::try_from(permits).map_err(|_| OverRelease)?;
        let bound = self.0.half_word(BOUND).load(SeqCst);
        let count = self.0.half_word(COUNT);
        count
            .fetch_update(SeqCst, SeqCst, |count| {
                count.checked_add(added).filter(|count| *count <= bound)
            })
            .map_err(|_| OverRelease)?;
        if self.0.word(WAITERS).load(SeqCst) > 0 {
            sys::futex_wake(&self.0, COUNT, i32::try_from(permits).unwrap_or(i32::MAX));
        }
        Ok(())
    }

    /// How many permits can be acquired at this moment.
    pub fn available(&self) -> usize {
        self.0.half_word(COUNT).load(SeqCst) as usize
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

impl Serialize for BoundedSemaphore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BoundedSemaphore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::BoundedSemaphore).map(Self)
    }
}
