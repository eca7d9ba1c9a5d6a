//! A lock between processes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{LockError, SealedRecover, SystemError};
use crate::sys::{self, Found};

use super::memory::{GATE, Kind, Memory, WORDS};

/// Whether somebody died with the lock, and nobody has said since that all is in order.
const DOUBT: usize = WORDS;

/// What an attempt to lock gives.
pub(super) type Locked<G> = Result<G, LockError<G>>;

/// A lock: one thread of one process has it at a time.
///
/// It guards no value: the processes agree on what it stands for, a file, a device or some shared memory. Locking one that
/// nobody has makes no system call.
///
/// When a process is killed while one of its threads has the lock, the next one gets it at once, and learns of it: see
/// [`LockError::OwnerDied`]. A panic is no death: the guard is dropped on the way.
///
/// ```
/// use procs::sync::Lock;
/// use procs::SharedArray;
///
/// #[procs::task]
/// fn transfer(lock: Lock, accounts: SharedArray<i64>) {
///     for _ in 0..1000 {
///         let _guard = lock.lock().unwrap();
///         accounts.set(0, accounts.get(0) - 1);
///         accounts.set(1, accounts.get(1) + 1);
///     }
/// }
///
/// #[procs::main]
/// fn main() {
///     let lock = Lock::new().unwrap();
///     let accounts = SharedArray::from_slice(&[3000, 0]).unwrap();
///     let start = |_| procs::spawn(transfer, (lock.clone(), accounts.clone())).unwrap();
///     for mut process in (0..3).map(start).collect::<Vec<_>>() {
///         process.join().unwrap();
///     }
///     assert_eq!(accounts.to_vec(), [0, 3000]);
/// }
/// ```
#[derive(Clone)]
pub struct Lock(Arc<Memory>);

impl Lock {
    /// A new lock, which nobody has.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::Lock).map(Self)
    }

    /// Locks; waits while somebody else has the lock.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard, when the last owner was killed;
    /// [`Deadlock`](LockError::Deadlock) when this thread has the lock.
    pub fn lock(&self) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        match sys::try_lock_mutex(&self.0, GATE) {
            Ok(Some(Found::Whole)) => self.guard(),
            Ok(None) => self.lock_by(None),
            other => self.settle(other),
        }
    }

    /// Locks if nobody has the lock.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) with the guard, when the last owner was killed;
    /// [`TimedOut`](LockError::TimedOut) when somebody has it, also this thread.
    pub fn try_lock(&self) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        match self.settle(sys::try_lock_mutex(&self.0, GATE)) {
            // Not every C library tells the two apart.
            Err(LockError::Deadlock) => Err(LockError::TimedOut),
            other => other,
        }
    }

    /// Locks; waits while somebody else has the lock, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_for(&self, time: Duration) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.lock_by(Instant::now().checked_add(time))
    }

    /// Locks; waits while somebody else has the lock, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_until(&self, deadline: Instant) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.lock_by(Some(deadline))
    }

    fn lock_by(&self, deadline: Option<Instant>) -> Locked<LockGuard<'_>> {
        self.settle(sys::lock_mutex(&self.0, GATE, deadline))
    }

    fn settle(&self, locked: std::io::Result<Option<Found>>) -> Locked<LockGuard<'_>> {
        settle(&self.0, locked)?;
        self.guard()
    }

    /// The guard of the lock that this thread has just got.
    fn guard(&self) -> Locked<LockGuard<'_>> {
        self.0.held.store(1, Relaxed);
        let guard = LockGuard {
            memory: &self.0,
            thread: PhantomData,
        };
        if guard.doubt().load(Relaxed) == 0 {
            Ok(guard)
        } else {
            Err(LockError::OwnerDied(guard))
        }
    }
}

/// Takes note of how the mutex of a lock was found, if it was locked.
pub(super) fn settle<G>(
    memory: &Memory,
    locked: std::io::Result<Option<Found>>,
) -> Result<(), LockError<G>> {
    match locked {
        Ok(Some(Found::Whole)) => Ok(()),
        Ok(Some(Found::OwnerDied)) => {
            // The doubt first: whoever is killed between the two leaves both as they were.
            memory.half_word(DOUBT).store(1, Relaxed);
            sys::repaired(memory, GATE);
            Ok(())
        }
        Ok(None) => Err(LockError::TimedOut),
        Err(error) if error.raw_os_error() == Some(libc::EDEADLK) => Err(LockError::Deadlock),
        Err(_) => Err(LockError::Broken),
    }
}

/// The doubt about what a lock guards.
pub(super) fn doubt(memory: &Memory) -> &AtomicU32 {
    memory.half_word(DOUBT)
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

impl Serialize for Lock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Lock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::Lock).map(Self)
    }
}

/// Whoever has it has the [`Lock`]. Dropping it unlocks. It belongs to its thread.
#[must_use = "dropping the guard unlocks"]
pub struct LockGuard<'a> {
    memory: &'a Memory,
    /// The mutex must be unlocked by the thread that locked it.
    thread: PhantomData<*const ()>,
}

impl LockGuard<'_> {
    fn doubt(&self) -> &AtomicU32 {
        doubt(self.memory)
    }

    /// Says that what the lock guards is in order again after an owner's death. See [`LockError::OwnerDied`].
    pub fn recover(&self) {
        self.doubt().store(0, Relaxed);
    }

    /// Unlocks for a while, which the caller ends with [`lock_again`](Self::lock_again).
    pub(super) fn unlock_meanwhile(&self) {
        self.memory.held.store(0, Relaxed);
        sys::unlock_mutex(self.memory, GATE);
    }

    /// Locks again. True: without doubt.
    pub(super) fn lock_again(&self) -> Result<bool, LockError<()>> {
        settle(self.memory, sys::lock_mutex(self.memory, GATE, None))?;
        self.memory.held.store(1, Relaxed);
        Ok(self.doubt().load(Relaxed) == 0)
    }
}

impl SealedRecover for LockGuard<'_> {
    fn recovered(&self) {
        self.recover();
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        self.unlock_meanwhile();
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard").finish_non_exhaustive()
    }
}
