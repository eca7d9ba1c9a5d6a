//! A place where processes meet.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{self, SystemError};

use super::memory::{Inside, Kind, LIMIT, Memory, WORDS, nap};
use super::places::{CALLED, FAILED, WAITING};

/// How many must meet.
const PARTIES: usize = WORDS;
/// Whether nobody may pass.
const BROKEN: usize = WORDS + 8;

/// Lets threads of several processes pass when so many have come, as often as they like.
///
/// It breaks when one of those who wait is late, is killed, or somebody calls [`abort`](Self::abort): then all who wait,
/// and all who come later, get the error [`Broken`](crate::Broken), until somebody calls [`reset`](Self::reset). One who
/// is killed on the way to the barrier is not noticed: wait with a time limit if that may happen.
///
/// ```
/// use procs::sync::Barrier;
///
/// #[procs::task]
/// fn work(meet: Barrier) -> usize {
///     meet.wait().unwrap()
/// }
///
/// #[procs::main]
/// fn main() {
///     let meet = Barrier::new(3).unwrap();
///     let processes = [0; 2].map(|_| procs::spawn(work, meet.clone()).unwrap());
///     let mut order = vec![meet.wait().unwrap()];
///     order.extend(processes.map(|mut process| process.join().unwrap()));
///     order.sort();
///     assert_eq!(order, [0, 1, 2]);
/// }
/// ```
#[derive(Clone)]
pub struct Barrier(Arc<Memory>);

impl Barrier {
    /// A barrier for so many: at least 1, at most 4096.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(parties: usize) -> Result<Self, SystemError> {
        let memory = Memory::new(Kind::Barrier)?;
        memory
            .word(PARTIES)
            .store(parties.clamp(1, LIMIT) as u64, Relaxed);
        Ok(Self(memory))
    }

    /// Waits until all have come. Returns how many had come before: each of them another number from 0 on.
    ///
    /// # Errors
    ///
    /// When the barrier is broken, or breaks meanwhile.
    pub fn wait(&self) -> Result<usize, error::Broken> {
        self.wait_by(None)
    }

    /// Waits until all have come, but no longer than `time`: the barrier breaks then.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_for(&self, time: Duration) -> Result<usize, error::Broken> {
        self.wait_by(Instant::now().checked_add(time))
    }

    /// Waits until all have come, but not beyond `deadline`: the barrier breaks then.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_until(&self, deadline: Instant) -> Result<usize, error::Broken> {
        self.wait_by(Some(deadline))
    }

    fn wait_by(&self, deadline: Option<Instant>) -> Result<usize, error::Broken> {
        let inside = self.enter(deadline)?;
        if inside.word(BROKEN).load(Relaxed) != 0 {
            return Err(error::Broken);
        }
        let before = inside.places(WAITING).count();
        if before + 1 >= self.parties() {
            let called = tell_all(&inside, CALLED);
            drop(inside);
            self.0.wake(&called);
            return Ok(before);
        }
        let place = inside.occupy(WAITING).ok_or(error::Broken)?;
        drop(inside);
        self.sleep(place, deadline)?;
        let inside = self.enter(None)?;
        let passed = inside.state(place) == CALLED;
        inside.vacate(place);
        passed.then_some(before).ok_or(error::Broken)
    }

    /// Sleeps until the barrier opens or breaks; breaks it when it is too late.
    fn sleep(&self, place: usize, deadline: Option<Instant>) -> Result<(), error::Broken> {
        while self.0.state(place) == WAITING {
            match nap(deadline) {
                Some(time) => self.0.sleep(place, WAITING, time),
                None => {
                    let inside = self.enter(None)?;
                    if inside.state(place) == WAITING {
                        self.break_up(inside);
                    }
                    continue;
                }
            }
            if self.0.state(place) == WAITING {
                // Looks after the dead.
                drop(self.enter(None)?);
            }
        }
        Ok(())
    }

    /// Goes inside. A dead among those who wait, or who died inside, breaks the barrier.
    fn enter(&self, deadline: Option<Instant>) -> Result<Inside<'_>, error::Broken> {
        let (inside, died) = self.0.enter(deadline).map_err(|_| error::Broken)?;
        if inside.sweep(WAITING) > 0 || died {
            self.break_up(inside);
            let (inside, _) = self.0.enter(deadline).map_err(|_| error::Broken)?;
            return Ok(inside);
        }
        Ok(inside)
    }

    fn break_up(&self, inside: Inside<'_>) {
        inside.word(BROKEN).store(1, Relaxed);
        let failed = tell_all(&inside, FAILED);
        drop(inside);
        self.0.wake(&failed);
    }

    /// Breaks the barrier: nobody passes until it is reset.
    pub fn abort(&self) {
        if let Ok(inside) = self.enter(None) {
            self.break_up(inside);
        }
    }

    /// Makes the barrier whole again. Those who wait get the error; those who come from now on do not.
    pub fn reset(&self) {
        if let Ok(inside) = self.enter(None) {
            inside.word(BROKEN).store(0, Relaxed);
            let failed = tell_all(&inside, FAILED);
            drop(inside);
            self.0.wake(&failed);
        }
    }

    /// Whether nobody can pass.
    pub fn is_broken(&self) -> bool {
        self.0.word(BROKEN).load(Relaxed) != 0
    }

    /// How many must come.
    pub fn parties(&self) -> usize {
        self.0.word(PARTIES).load(Relaxed) as usize
    }

    /// How many wait at this moment.
    pub fn waiting(&self) -> usize {
        self.enter(None)
            .map_or(0, |inside| inside.places(WAITING).count())
    }
}

/// Tells all who wait what has become of it. The caller wakes them.
fn tell_all(inside: &Inside<'_>, state: u32) -> Vec<usize> {
    let waiting: Vec<_> = inside.places(WAITING).collect();
    for place in &waiting {
        inside.set_state(*place, state);
    }
    waiting
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("is_broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}

impl Serialize for Barrier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Barrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::Barrier).map(Self)
    }
}
