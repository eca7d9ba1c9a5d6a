//! A place where a number of threads of several processes meet.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::{BarrierError, CreateError};

use super::memory::{Kind, LockFailure, Memory, Recheck, SLOT_LIMIT, StateGuard, shared_handle};
use super::slots::{FAILED, NOTIFIED, WAITING};

/// The number of threads that must meet.
const PARTIES: usize = 0;
/// 1: the barrier is broken.
const BROKEN: usize = 8;

/// Lets a number of threads of several processes pass when all of them have come, any number of times.
///
/// It breaks when the time limit of a waiting thread passes, when a waiting thread dies, or by [`abort`](Self::abort).
/// Then all waits, present and future, fail with [`BarrierError::Broken`] until [`reset`](Self::reset). The death of a
/// thread that has not come yet is not noticed: wait with a time limit if that may happen.
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
#[must_use = "a primitive does nothing unless its methods are called"]
pub struct Barrier(Arc<Memory>);

impl Barrier {
    /// Makes a barrier for this number of threads (1 to 4096).
    ///
    /// # Errors
    ///
    /// [`OutOfRange`](CreateError::OutOfRange), or the system refuses: too many open files, no address space.
    pub fn new(parties: usize) -> Result<Self, CreateError> {
        if !(1..=SLOT_LIMIT).contains(&parties) {
            return Err(CreateError::OutOfRange {
                given: parties,
                min: 1,
                max: SLOT_LIMIT,
            });
        }
        let memory = Memory::new(Kind::Barrier)?;
        memory.word(PARTIES).store(parties as u64, Relaxed);
        Ok(Self(memory))
    }

    /// Blocks until all have come. Returns the number of threads that had come before: 0 for the first one.
    ///
    /// # Errors
    ///
    /// [`Broken`](BarrierError::Broken) when the barrier is broken, or breaks meanwhile.
    pub fn wait(&self) -> Result<usize, BarrierError> {
        self.wait_by(None)
    }

    /// Blocks until all have come, at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`TimedOut`](BarrierError::TimedOut), which breaks the barrier.
    pub fn wait_for(&self, time: Duration) -> Result<usize, BarrierError> {
        self.wait_by(Instant::now().checked_add(time))
    }

    /// Blocks until all have come, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_until(&self, deadline: Instant) -> Result<usize, BarrierError> {
        self.wait_by(Some(deadline))
    }

    fn wait_by(&self, deadline: Option<Instant>) -> Result<usize, BarrierError> {
        let state = self.lock_state(deadline)?;
        if state.word(BROKEN).load(Relaxed) != 0 {
            return Err(BarrierError::Broken);
        }
        let before = state.waiting();
        if before + 1 >= self.parties() {
            if has_dead(&state) {
                self.break_up(state);
                return Err(BarrierError::Broken);
            }
            let passing = move_all(&state, NOTIFIED);
            drop(state);
            self.0.wake(&passing);
            return Ok(before);
        }
        let slot = state.claim_slot(WAITING).ok_or(BarrierError::Broken)?;
        drop(state);
        let timed_out = self.sleep(slot, deadline);
        match self.leave(slot)? {
            true => Ok(before),
            false if timed_out => Err(BarrierError::TimedOut),
            false => Err(BarrierError::Broken),
        }
    }

    /// Gives up a slot. True: its thread may pass.
    fn leave(&self, slot: usize) -> Result<bool, BarrierError> {
        match self.lock_state(None) {
            Ok(state) => {
                let passes = state.state(slot) == NOTIFIED;
                state.release_slot(slot);
                Ok(passes)
            }
            Err(error) => {
                self.0.unlock_slot(slot);
                Err(error)
            }
        }
    }

    /// Sleeps until the barrier opens or breaks. True: the deadline has passed, and this thread broke the barrier.
    fn sleep(&self, slot: usize, deadline: Option<Instant>) -> bool {
        let mut recheck = Recheck::new();
        while self.0.state(slot) == WAITING && self.0.is_intact() {
            let Some(time) = recheck.next_sleep(deadline) else {
                return self.break_if(|state| state.state(slot) == WAITING);
            };
            self.0.sleep(slot, WAITING, time);
            if self.0.state(slot) == WAITING && self.0.sweep_is_due() {
                self.break_if(has_dead);
            }
        }
        false
    }

    /// Breaks the barrier if a condition holds.
    fn break_if(&self, condition: impl Fn(&StateGuard<'_>) -> bool) -> bool {
        let Ok(state) = self.lock_state(None) else {
            return false;
        };
        let breaks = condition(&state);
        if breaks {
            self.break_up(state);
        }
        breaks
    }

    /// Acquires the internal lock. The death of a thread that held it breaks the barrier.
    fn lock_state(&self, deadline: Option<Instant>) -> Result<StateGuard<'_>, BarrierError> {
        let failed = |failure| match failure {
            LockFailure::TimedOut => BarrierError::TimedOut,
            LockFailure::Broken => BarrierError::Broken,
        };
        let (state, died) = self.0.lock_state(deadline).map_err(failed)?;
        if !died {
            return Ok(state);
        }
        self.break_up(state);
        let (state, _) = self.0.lock_state(deadline).map_err(failed)?;
        Ok(state)
    }

    fn break_up(&self, state: StateGuard<'_>) {
        state.word(BROKEN).store(1, Relaxed);
        self.fail_all(state);
    }

    fn fail_all(&self, state: StateGuard<'_>) {
        let failed = move_all(&state, FAILED);
        drop(state);
        self.0.wake(&failed);
    }

    /// Breaks the barrier until it is reset.
    pub fn abort(&self) {
        if let Ok(state) = self.lock_state(None) {
            self.break_up(state);
        }
    }

    /// Repairs the barrier. Threads that wait now get the error; those that come from now on do not.
    pub fn reset(&self) {
        if let Ok(state) = self.lock_state(None) {
            state.word(BROKEN).store(0, Relaxed);
            self.fail_all(state);
        }
    }

    /// Returns whether the barrier is broken.
    pub fn is_broken(&self) -> bool {
        self.0.word(BROKEN).load(Relaxed) != 0 || !self.0.is_intact()
    }

    /// Returns the number of threads that must come.
    pub fn parties(&self) -> usize {
        (self.0.word(PARTIES).load(Relaxed) as usize).clamp(1, SLOT_LIMIT)
    }

    /// Returns the number of threads that wait at this moment. A dead one among them breaks the barrier.
    pub fn waiting(&self) -> usize {
        self.break_if(has_dead);
        self.0.waiting()
    }
}

/// Returns whether a waiting thread has died.
fn has_dead(state: &StateGuard<'_>) -> bool {
    state
        .waiting_slots()
        .iter()
        .any(|slot| state.is_dead(*slot))
}

/// Moves all waiting threads to another state; frees the slots of dead ones. The caller wakes the threads.
fn move_all(state: &StateGuard<'_>, new: u32) -> Vec<usize> {
    let mut waiting = state.waiting_slots();
    waiting.retain(|slot| !state.reclaim(*slot));
    for slot in &waiting {
        state.move_to(*slot, new);
    }
    waiting
}

shared_handle!(Barrier, "parties": parties, "is_broken": is_broken);
