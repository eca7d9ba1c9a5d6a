//! A lock between processes that its owner may lock again.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{LockError, SealedRecover, SystemError};
use crate::sys::{self, Found};

use super::lock::{Locked, doubt, settle};
use super::memory::{GATE, Kind, Memory, WORDS};

/// How many guards the owner has. Only the owner looks at it.
const DEPTH: usize = WORDS + 64;

/// A [`Lock`](super::Lock) that the thread which has it may lock again.
///
/// Others get it when all guards are dropped. What is said there of an owner's death holds here too.
///
/// ```
/// use procs::sync::RLock;
///
/// let lock = RLock::new()?;
/// let outer = lock.lock().unwrap();
/// let inner = lock.try_lock().unwrap();
/// drop(outer);
/// assert!(lock.is_owned());
/// drop(inner);
/// assert!(!lock.is_owned());
/// # Ok::<(), procs::SystemError>(())
/// ```
#[derive(Clone)]
pub struct RLock(Arc<Memory>);

impl RLock {
    /// A new lock, which nobody has.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::RLock).map(Self)
    }

    /// Locks, at once if this thread has the lock; waits while another has it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard, when the last owner was killed.
    pub fn lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock_by(None)
    }

    /// Locks if no other thread has the lock.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut) when another thread has it.
    pub fn try_lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.settle(sys::try_lock_mutex(&self.0, GATE))
    }

    /// Locks; waits while another thread has the lock, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_for(&self, time: Duration) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock_by(Instant::now().checked_add(time))
    }

    /// Locks; waits while another thread has the lock, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_until(
        &self,
        deadline: Instant,
    ) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock_by(Some(deadline))
    }

    /// Whether this thread has the lock.
    pub fn is_owned(&self) -> bool {
        is_owned(&self.0)
    }

    fn lock_by(&self, deadline: Option<Instant>) -> Locked<RLockGuard<'_>> {
        self.settle(sys::lock_mutex(&self.0, GATE, deadline))
    }

    fn settle(&self, locked: io::Result<Option<Found>>) -> Locked<RLockGuard<'_>> {
        let died = matches!(locked, Ok(Some(Found::OwnerDied)));
        settle(&self.0, locked)?;
        let depth = self.0.half_word(DEPTH);
        if died {
            depth.store(0, Relaxed);
        }
        take(&self.0, 1);
        let guard = RLockGuard {
            memory: &self.0,
            thread: PhantomData,
        };
        if doubt(&self.0).load(Relaxed) == 0 {
            Ok(guard)
        } else {
            Err(LockError::OwnerDied(guard))
        }
    }
}

/// Whether this thread has the mutex: only its owner can lock it twice.
fn is_owned(memory: &Memory) -> bool {
    match sys::try_lock_mutex(memory, GATE) {
        Ok(Some(Found::Whole)) => {
            let owned = memory.half_word(DEPTH).load(Relaxed) > 0;
            sys::unlock_mutex(memory, GATE);
            owned
        }
        Ok(Some(Found::OwnerDied)) => {
            doubt(memory).store(1, Relaxed);
            memory.half_word(DEPTH).store(0, Relaxed);
            sys::repaired(memory, GATE);
            sys::unlock_mutex(memory, GATE);
            false
        }
        _ => false,
    }
}

/// Counts locks of the mutex that this thread has just made.
fn take(memory: &Memory, count: u32) {
    let depth = memory.half_word(DEPTH);
    if depth.load(Relaxed) == 0 {
        // The mutex now lies in the thread's list by its address in this mapping.
        memory.held.store(1, Relaxed);
    }
    depth.store(depth.load(Relaxed) + count, Relaxed);
}

/// Undoes as many locks, if this thread has made them: a forked child that drops its copy of a guard has not.
fn give_back(memory: &Memory, count: u32) {
    if !is_owned(memory) {
        return;
    }
    let depth = memory.half_word(DEPTH);
    let left = depth.load(Relaxed).saturating_sub(count);
    depth.store(left, Relaxed);
    if left == 0 {
        memory.held.store(0, Relaxed);
    }
    for _ in 0..count {
        sys::unlock_mutex(memory, GATE);
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLock").finish_non_exhaustive()
    }
}

impl Serialize for RLock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RLock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::RLock).map(Self)
    }
}

/// Whoever has it has the [`RLock`]. Dropping the last one unlocks. It belongs to its thread.
#[must_use = "dropping the guard unlocks"]
pub struct RLockGuard<'a> {
    memory: &'a Memory,
    /// The mutex must be unlocked by the thread that locked it.
    thread: PhantomData<*const ()>,
}

impl RLockGuard<'_> {
    /// Says that what the lock guards is in order again after an owner's death. See [`LockError::OwnerDied`].
    pub fn recover(&self) {
        doubt(self.memory).store(0, Relaxed);
    }

    /// Unlocks for a while, which the caller ends with [`lock_again`](Self::lock_again). Returns how often it was locked.
    pub(super) fn unlock_meanwhile(&self) -> u32 {
        let depth = self.memory.half_word(DEPTH).load(Relaxed);
        give_back(self.memory, depth);
        depth
    }

    /// Locks again, as often as before. True: without doubt.
    pub(super) fn lock_again(&self, depth: u32) -> Result<bool, LockError<()>> {
        let locked = sys::lock_mutex(self.memory, GATE, None);
        if matches!(locked, Ok(Some(Found::OwnerDied))) {
            self.memory.half_word(DEPTH).store(0, Relaxed);
        }
        settle(self.memory, locked)?;
        take(self.memory, depth);
        for _ in 1..depth {
            // The owner's further locks cannot fail before they are billions.
            let _ = sys::try_lock_mutex(self.memory, GATE);
        }
        Ok(doubt(self.memory).load(Relaxed) == 0)
    }
}

impl SealedRecover for RLockGuard<'_> {
    fn recovered(&self) {
        self.recover();
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        give_back(self.memory, 1);
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLockGuard").finish_non_exhaustive()
    }
}
