//! Permits that threads of several processes share.
//!
//! Everything is changed inside the gate. Each change takes effect by one store: of the state of a place, or of `TOTAL`.
//! What is free follows from these two, and is counted again when somebody was killed inside.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{LockError, SealedRecover, SystemError};
use crate::process::fork;
use crate::sys;

use super::memory::{Inside, Kind, Memory, Shut, WORDS, nap};
use super::places::{DOUBTED, HELD};

/// How many permits there are, held or not.
const TOTAL: usize = WORDS;
/// How many of them nobody holds.
const COUNT: usize = WORDS + 8;
/// Changes with each permit that becomes free; those who wait sleep on it.
const BELL: usize = WORDS + 64;
/// How many wait. One who is killed is counted for ever, which costs a system call now and then.
const WAITERS: usize = WORDS + 72;

/// So many permits: whoever acquires one holds it until its [`Permit`] is dropped.
///
/// When a process is killed that holds permits, those who wait get them, and learn of it: see [`LockError::OwnerDied`].
/// [`release`](Self::release) makes more permits, and [`Permit::forget`] fewer: so it also counts what one process makes
/// and another takes. Up to 4096 permits can be held at the same time; further ones are not given out until then.
///
/// ```
/// use procs::sync::Semaphore;
///
/// #[procs::task]
/// fn download(limit: Semaphore, number: u32) -> u32 {
///     let _permit = limit.acquire().unwrap();
///     number
/// }
///
/// #[procs::main]
/// fn main() {
///     let limit = Semaphore::new(2).unwrap();
///     let start = |n| procs::spawn(download, (limit.clone(), n)).unwrap();
///     for (n, mut process) in (0..4).map(start).collect::<Vec<_>>().into_iter().enumerate() {
///         assert_eq!(process.join().unwrap(), n as u32);
///     }
///     assert_eq!(limit.available(), 2);
/// }
/// ```
#[derive(Clone)]
pub struct Semaphore(Arc<Memory>);

impl Semaphore {
    /// A new semaphore with so many permits.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(permits: usize) -> Result<Self, SystemError> {
        let memory = Memory::new(Kind::Semaphore)?;
        memory.word(TOTAL).store(permits as u64, Relaxed);
        memory.word(COUNT).store(permits as u64, Relaxed);
        Ok(Self(memory))
    }

    /// Acquires a permit; waits while there is none.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the permit, when the one who had it was killed.
    pub fn acquire(&self) -> Result<Permit<'_>, LockError<Permit<'_>>> {
        self.acquire_by(None)
    }

    /// Acquires a permit if there is one.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`TimedOut`](LockError::TimedOut) when there is none.
    pub fn try_acquire(&self) -> Result<Permit<'_>, LockError<Permit<'_>>> {
        self.acquire_by(Some(Instant::now()))
    }

    /// Acquires a permit; waits while there is none, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`TimedOut`](LockError::TimedOut).
    pub fn acquire_for(&self, time: Duration) -> Result<Permit<'_>, LockError<Permit<'_>>> {
        self.acquire_by(Instant::now().checked_add(time))
    }

    /// Acquires a permit; waits while there is none, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`TimedOut`](LockError::TimedOut).
    pub fn acquire_until(&self, deadline: Instant) -> Result<Permit<'_>, LockError<Permit<'_>>> {
        self.acquire_by(Some(deadline))
    }

    fn acquire_by(&self, deadline: Option<Instant>) -> Result<Permit<'_>, LockError<Permit<'_>>> {
        loop {
            let inside = self.enter(deadline).map_err(|shut| match shut {
                Shut::Late => LockError::TimedOut,
                Shut::Overwritten => LockError::Broken,
            })?;
            if let Some(place) = take(&inside) {
                return self.permit(&inside, place);
            }
            let time = nap(deadline).ok_or(LockError::TimedOut)?;
            let waiters = self.0.word(WAITERS);
            waiters.fetch_add(1, SeqCst);
            // Read inside: what becomes free later changes it first.
            let seen = self.0.half_word(BELL).load(SeqCst);
            drop(inside);
            sys::futex_wait(&self.0, BELL, seen, time);
            waiters.fetch_sub(1, SeqCst);
        }
    }

    fn permit(
        &self,
        inside: &Inside<'_>,
        place: usize,
    ) -> Result<Permit<'_>, LockError<Permit<'_>>> {
        self.0.held.fetch_add(1, Relaxed);
        let permit = Permit {
            semaphore: self,
            place,
            generation: fork::generation(),
            thread: PhantomData,
        };
        if inside.state(place) == HELD {
            Ok(permit)
        } else {
            Err(LockError::OwnerDied(permit))
        }
    }

    /// Makes so many more permits.
    pub fn release(&self, permits: usize) {
        if let Ok(inside) = self.enter(None) {
            let total = inside.word(TOTAL);
            total.store(total.load(Relaxed).saturating_add(permits as u64), Relaxed);
            let count = inside.word(COUNT);
            count.store(count.load(Relaxed).saturating_add(permits as u64), Relaxed);
            self.ring(inside, permits);
        }
    }

    /// How many permits nobody holds at this moment. Those of the dead count when somebody has waited for them.
    pub fn available(&self) -> usize {
        self.0.word(COUNT).load(Relaxed) as usize
    }

    /// Goes inside; counts again what the dead may not have counted.
    fn enter(&self, deadline: Option<Instant>) -> Result<Inside<'_>, Shut> {
        let (inside, died) = self.0.enter(deadline)?;
        if died {
            let held = inside.places(HELD).count() + inside.places(DOUBTED).count();
            let total = inside.word(TOTAL).load(Relaxed);
            let free = total.saturating_sub(held as u64);
            inside.word(COUNT).store(free, Relaxed);
        }
        Ok(inside)
    }

    /// Tells those who wait that so many permits have become free, outside.
    fn ring(&self, inside: Inside<'_>, permits: usize) {
        inside.half_word(BELL).fetch_add(1, SeqCst);
        let waiting = inside.word(WAITERS).load(SeqCst) > 0;
        drop(inside);
        if waiting {
            sys::futex_wake(&self.0, BELL, i32::try_from(permits).unwrap_or(i32::MAX));
        }
    }
}

/// A place with a permit for this thread, if one is free or was left by a dead one.
fn take(inside: &Inside<'_>) -> Option<usize> {
    let count = inside.word(COUNT);
    let free = count.load(Relaxed);
    if free > 0
        && let Some(place) = inside.occupy(HELD)
    {
        count.store(free - 1, Relaxed);
        return Some(place);
    }
    let left = |place: &usize| inside.seize(*place);
    let mut owned = inside.places(HELD).chain(inside.places(DOUBTED));
    let place = owned.find(left)?;
    inside.set_state(place, DOUBTED);
    Some(place)
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

impl Serialize for Semaphore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Semaphore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::Semaphore).map(Self)
    }
}

/// Whoever has it holds a permit of a [`Semaphore`]. Dropping it gives the permit back. It belongs to its thread.
#[must_use = "dropping the permit gives it back"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    place: usize,
    generation: u32,
    /// The place is held by the thread that took it.
    thread: PhantomData<*const ()>,
}

impl Permit<'_> {
    /// Says that what the permit stands for is in order again after its owner's death. See [`LockError::OwnerDied`].
    pub fn recover(&self) {
        if let Ok(inside) = self.semaphore.enter(None) {
            inside.set_state(self.place, HELD);
        }
    }

    /// Uses up the permit: there is one less from now on.
    pub fn forget(self) {
        let permit = ManuallyDrop::new(self);
        if let Ok(inside) = permit.semaphore.enter(None) {
            let total = inside.word(TOTAL);
            total.store(total.load(Relaxed).saturating_sub(1), Relaxed);
            inside.vacate(permit.place);
            permit.semaphore.0.held.fetch_sub(1, Relaxed);
        }
    }
}

impl SealedRecover for Permit<'_> {
    fn recovered(&self) {
        self.recover();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            // A forked child has a copy of the permit. The place is the parent's.
            return;
        }
        let Ok(inside) = self.semaphore.enter(None) else {
            return;
        };
        if inside.state(self.place) == DOUBTED {
            // The next one shall know of it too.
            inside.leave(self.place);
        } else {
            inside.vacate(self.place);
            let count = inside.word(COUNT);
            count.store(count.load(Relaxed) + 1, Relaxed);
        }
        self.semaphore.0.held.fetch_sub(1, Relaxed);
        self.semaphore.ring(inside, 1);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
