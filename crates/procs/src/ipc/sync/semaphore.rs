//! Permits that threads of several processes share.
//!
//! Everything is changed under the internal lock. Each change takes effect by one store: of the state of a slot, or of
//! `TOTAL`. The number of free permits follows from these two, and is counted again when a process dies inside.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

use crate::error::{LockError, ReleaseError, SystemError};
use crate::sys;

use super::memory::{Kind, LockFailure, Memory, Recheck, StateGuard, shared_handle};
use super::slots::{HELD, ORPHANED};

/// The number of permits, held or not.
const TOTAL: usize = 0;
/// The number of permits that no thread holds.
const COUNT: usize = 8;
/// Changes with each permit that becomes free; waiting threads sleep on it. The lowest bit is [`WAITERS`].
const RELEASES: usize = 64;
const WAITERS: u32 = 1;
const ONE_RELEASE: u32 = 2;

/// A number of permits: a thread that acquires one holds it until its [`Permit`] is dropped.
///
/// When a thread dies while it holds a permit, for example because its process is killed, others cannot acquire that permit
/// until one has taken it by [`recover`](Self::recover), repaired what it stands for, and called
/// [`Permit::mark_consistent`]. While there is such a permit and no other, acquiring is [`LockError::OwnerDied`]. Where
/// there is nothing to repair, always call `recover` in place of `acquire`.
///
/// [`release`](Self::release) makes more permits, and [`Permit::forget`] fewer: so a semaphore also counts what one process
/// makes and another takes. Up to 4096 permits can be held at the same time.
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
#[doc(alias = "Sem")]
#[derive(Clone)]
#[must_use = "a primitive does nothing unless its methods are called"]
pub struct Semaphore(Arc<Memory>);

/// The permits that a call may take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accept {
    Consistent,
    /// Also those of threads that died.
    Any,
}

impl Semaphore {
    /// Makes a semaphore with this number of permits.
    ///
    /// # Errors
    ///
    /// The system refuses: too many open files, no address space.
    pub fn new(permits: usize) -> Result<Self, SystemError> {
        let memory = Memory::new(Kind::Semaphore)?;
        memory.word(TOTAL).store(permits as u64, Relaxed);
        memory.word(COUNT).store(permits as u64, Relaxed);
        Ok(Self(memory))
    }

    /// Acquires a permit. Blocks while there is none.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) when there is no permit but that of a dead thread,
    /// [`Exhausted`](LockError::Exhausted) when 4096 are held, and [`Broken`](LockError::Broken).
    #[doc(alias = "sem_wait")]
    pub fn acquire(&self) -> Result<Permit<'_>, LockError> {
        self.acquire_by(None, Accept::Consistent)
    }

    /// Acquires a permit if there is one.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`WouldBlock`](LockError::WouldBlock) when there is none.
    pub fn try_acquire(&self) -> Result<Permit<'_>, LockError> {
        self.try_by(Accept::Consistent)
    }

    /// Acquires a permit. Blocks while there is none, at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`TimedOut`](LockError::TimedOut).
    pub fn acquire_for(&self, time: Duration) -> Result<Permit<'_>, LockError> {
        self.acquire_by(Instant::now().checked_add(time), Accept::Consistent)
    }

    /// Acquires a permit. Blocks while there is none, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`TimedOut`](LockError::TimedOut).
    pub fn acquire_until(&self, deadline: Instant) -> Result<Permit<'_>, LockError> {
        self.acquire_by(Some(deadline), Accept::Consistent)
    }

    /// Acquires a permit, also that of a thread that died if there is no other; [`Permit::is_inconsistent`] is true for that.
    ///
    /// ```
    /// use procs::LockError;
    /// use procs::sync::Semaphore;
    ///
    /// # fn repair() {}
    /// fn use_one(connections: &Semaphore) -> Result<(), LockError> {
    ///     let permit = connections.recover()?;
    ///     if permit.is_inconsistent() {
    ///         repair();
    ///         permit.mark_consistent();
    ///     }
    ///     Ok(())
    /// }
    /// use_one(&Semaphore::new(1)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), except [`OwnerDied`](LockError::OwnerDied).
    pub fn recover(&self) -> Result<Permit<'_>, LockError> {
        self.acquire_by(None, Accept::Any)
    }

    /// As [`recover`](Self::recover), if there is a permit.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`WouldBlock`](LockError::WouldBlock) when there is none.
    pub fn try_recover(&self) -> Result<Permit<'_>, LockError> {
        self.try_by(Accept::Any)
    }

    /// As [`recover`](Self::recover), but blocks at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`TimedOut`](LockError::TimedOut).
    pub fn recover_for(&self, time: Duration) -> Result<Permit<'_>, LockError> {
        self.acquire_by(Instant::now().checked_add(time), Accept::Any)
    }

    /// As [`recover`](Self::recover), but blocks until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`TimedOut`](LockError::TimedOut).
    pub fn recover_until(&self, deadline: Instant) -> Result<Permit<'_>, LockError> {
        self.acquire_by(Some(deadline), Accept::Any)
    }

    fn try_by(&self, accept: Accept) -> Result<Permit<'_>, LockError> {
        match self.acquire_by(Some(Instant::now()), accept) {
            Err(LockError::TimedOut) => Err(LockError::WouldBlock),
            other => other,
        }
    }

    fn acquire_by(
        &self,
        deadline: Option<Instant>,
        accept: Accept,
    ) -> Result<Permit<'_>, LockError> {
        let mut recheck = Recheck::new();
        let mut has_slept = false;
        loop {
            let state = self.lock_state(deadline).map_err(|failure| match failure {
                LockFailure::TimedOut => LockError::TimedOut,
                LockFailure::Broken => LockError::Broken,
            })?;
            let sleep = recheck.next_sleep(deadline);
            // A search for dead holders looks at all of them: not at every turn, but before giving up.
            let sweeps = sleep.is_none() || state.sweep_is_due();
            let taken = take(&state, accept, sweeps)?;
            let releases = state.half_word(RELEASES);
            if let Some(slot) = taken {
                if has_slept {
                    // Others may sleep still.
                    releases.fetch_or(WAITERS, SeqCst);
                }
                return Ok(Permit {
                    semaphore: self,
                    slot,
                    thread: PhantomData,
                });
            }
            let sleep = sleep.ok_or(LockError::TimedOut)?;
            // Under the lock: a permit that becomes free later changes the word.
            let seen = releases.fetch_or(WAITERS, SeqCst) | WAITERS;
            drop(state);
            sys::futex_wait(&self.0, RELEASES, seen, sleep);
            has_slept = true;
        }
    }

    /// Makes this number of permits more.
    ///
    /// # Errors
    ///
    /// [`TooMany`](ReleaseError::TooMany) beyond 2⁶⁴ − 1 permits; then none is made. Also
    /// [`Broken`](ReleaseError::Broken).
    #[doc(alias = "sem_post")]
    pub fn release(&self, permits: usize) -> Result<(), ReleaseError> {
        let state = self.lock_state(None).map_err(|_| ReleaseError::Broken)?;
        let more = |word| {
            let before = state.word(word).load(Relaxed);
            before
                .checked_add(permits as u64)
                .ok_or(ReleaseError::TooMany)
        };
        let (total, count) = (more(TOTAL)?, more(COUNT)?);
        state.word(TOTAL).store(total, Relaxed);
        state.word(COUNT).store(count, Relaxed);
        wake(&state, permits);
        Ok(())
    }

    /// Returns the number of permits that no thread holds at this moment. Those of dead threads do not count.
    pub fn available(&self) -> usize {
        self.0.word(COUNT).load(Relaxed) as usize
    }

    /// Acquires the internal lock; counts again what a dead thread may not have counted.
    fn lock_state(&self, deadline: Option<Instant>) -> Result<StateGuard<'_>, LockFailure> {
        let (state, died) = self.0.lock_state(deadline)?;
        if died {
            let is_held = |slot: &usize| matches!(state.state(*slot), HELD | ORPHANED);
            let held = (0..state.slots_in_use()).filter(is_held).count();
            let total = state.word(TOTAL).load(Relaxed);
            let free = total.saturating_sub(held as u64);
            state.word(COUNT).store(free, Relaxed);
        }
        Ok(state)
    }
}

/// Wakes up to `permits` waiting threads.
fn wake(state: &StateGuard<'_>, permits: usize) {
    let releases = state.half_word(RELEASES);
    let before = releases.fetch_add(ONE_RELEASE, SeqCst);
    if before & WAITERS != 0 && permits > 0 {
        let count = i32::try_from(permits).unwrap_or(i32::MAX);
        if sys::futex_wake(state, RELEASES, count) == 0 {
            // A thread that is about to sleep sees that the word has changed.
            releases.fetch_and(!WAITERS, SeqCst);
        }
    }
}

/// Takes a permit for this thread, in a slot. `None`: there is none.
fn take(state: &StateGuard<'_>, accept: Accept, sweeps: bool) -> Result<Option<usize>, LockError> {
    let count = state.word(COUNT);
    let free = count.load(Relaxed);
    if free > 0 {
        let slot = state.claim_slot(HELD).ok_or(LockError::Exhausted)?;
        count.store(free - 1, Relaxed);
        return Ok(Some(slot));
    }
    if !sweeps {
        return Ok(None);
    }
    let is_left =
        |slot: &usize| matches!(state.state(*slot), HELD | ORPHANED) && state.is_unowned(*slot);
    let Some(slot) = (0..state.slots_in_use()).find(is_left) else {
        return Ok(None);
    };
    if accept == Accept::Consistent {
        return Err(LockError::OwnerDied);
    }
    Ok(state.claim_left_slot(slot, ORPHANED).then_some(slot))
}

shared_handle!(Semaphore, "available": available);

/// A permit of a [`Semaphore`]. Dropping it gives the permit back. It belongs to its thread.
#[must_use = "dropping the permit gives it back"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    slot: usize,
    /// The slot is owned by the thread that took it.
    thread: PhantomData<*const ()>,
}

impl Permit<'_> {
    /// Returns whether a thread died while it held this permit, and no thread has repaired since.
    pub fn is_inconsistent(&self) -> bool {
        self.semaphore.0.state(self.slot) == ORPHANED
    }

    /// Marks what the permit stands for as repaired after a holder's death. See [`LockError::OwnerDied`].
    pub fn mark_consistent(&self) {
        if let Ok(state) = self.semaphore.lock_state(None) {
            state.set_state(self.slot, HELD);
        }
    }

    /// Uses the permit up: there is one less from now on.
    pub fn forget(self) {
        let permit = ManuallyDrop::new(self);
        if let Ok(state) = permit.semaphore.lock_state(None) {
            let total = state.word(TOTAL);
            total.store(total.load(Relaxed).saturating_sub(1), Relaxed);
            state.release_slot(permit.slot);
        } else {
            permit.semaphore.0.unlock_slot(permit.slot);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let memory = &self.semaphore.0;
        // A forked child that drops its copy of a permit does not own the slot.
        if !memory
            .slot_lock(self.slot)
            .is_ok_and(|lock| lock.is_owned())
        {
            return;
        }
        let Ok(state) = self.semaphore.lock_state(None) else {
            memory.unlock_slot(self.slot);
            return;
        };
        if state.state(self.slot) == ORPHANED {
            // The next holder gets the error too.
            state.unlock_slot(self.slot);
        } else {
            state.release_slot(self.slot);
            let count = state.word(COUNT);
            count.store(count.load(Relaxed).saturating_add(1), Relaxed);
        }
        wake(&state, 1);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("is_inconsistent", &self.is_inconsistent())
            .finish_non_exhaustive()
    }
}
