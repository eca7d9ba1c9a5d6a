//! A lock between processes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{LockError, SystemError};
use crate::sys::{self, Acquired, LockResult};

use super::memory::{Kind, Memory, shared_handle};

/// A lock: one thread of one process owns it at a time.
///
/// It guards no value: the processes agree on what it stands for, a file, a device or some shared memory. Locking a free
/// lock makes no system call.
///
/// When a thread dies while it owns the lock, for example because its process is killed, the lock is free at once. What it
/// guards may be changed in part, so every attempt to lock is [`LockError::OwnerDied`] until a thread has taken the lock by
/// [`recover`](Self::recover), repaired, and called [`LockGuard::mark_consistent`]. A panic is no death: it drops the guard.
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
#[doc(alias = "Mutex")]
#[derive(Clone)]
#[must_use = "a primitive does nothing unless its methods are called"]
pub struct Lock(Arc<Memory>);

impl Lock {
    /// Makes a free lock.
    ///
    /// # Errors
    ///
    /// The system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::Lock).map(Self)
    }

    /// Locks. Blocks while another thread owns the lock.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied), [`Deadlock`](LockError::Deadlock) when this thread owns the lock, and
    /// [`Broken`](LockError::Broken).
    #[inline]
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> Result<LockGuard<'_>, LockError> {
        match self.0.lock().try_lock() {
            Some(Acquired::Clean) => self.guard(true),
            Some(Acquired::OwnerDied) => self.guard_of_dead(true),
            None => self.wait(None, true),
        }
    }

    /// Locks if no thread owns the lock.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), but [`WouldBlock`](LockError::WouldBlock) when any thread owns the lock.
    pub fn try_lock(&self) -> Result<LockGuard<'_>, LockError> {
        self.try_by(true)
    }

    /// Locks. Blocks while another thread owns the lock, at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_for(&self, time: Duration) -> Result<LockGuard<'_>, LockError> {
        self.wait(Instant::now().checked_add(time), true)
    }

    /// Locks. Blocks while another thread owns the lock, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_until(&self, deadline: Instant) -> Result<LockGuard<'_>, LockError> {
        self.wait(Some(deadline), true)
    }

    /// Locks, also after an owner has died. [`LockGuard::is_inconsistent`] returns whether there is something to repair: another
    /// thread may have done so before.
    ///
    /// ```
    /// use procs::LockError;
    /// use procs::sync::Lock;
    ///
    /// # fn repair() {}
    /// fn use_it(lock: &Lock) -> Result<(), LockError> {
    ///     let guard = lock.recover()?;
    ///     if guard.is_inconsistent() {
    ///         repair();
    ///         guard.mark_consistent();
    ///     }
    ///     Ok(())
    /// }
    /// use_it(&Lock::new()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), except [`OwnerDied`](LockError::OwnerDied).
    pub fn recover(&self) -> Result<LockGuard<'_>, LockError> {
        self.wait(None, false)
    }

    /// As [`recover`](Self::recover), if no thread owns the lock.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), but [`WouldBlock`](LockError::WouldBlock) when any thread owns the lock.
    pub fn try_recover(&self) -> Result<LockGuard<'_>, LockError> {
        self.try_by(false)
    }

    /// As [`recover`](Self::recover), but blocks at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`TimedOut`](LockError::TimedOut).
    pub fn recover_for(&self, time: Duration) -> Result<LockGuard<'_>, LockError> {
        self.wait(Instant::now().checked_add(time), false)
    }

    /// As [`recover`](Self::recover), but blocks until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`TimedOut`](LockError::TimedOut).
    pub fn recover_until(&self, deadline: Instant) -> Result<LockGuard<'_>, LockError> {
        self.wait(Some(deadline), false)
    }

    fn try_by(&self, must_be_consistent: bool) -> Result<LockGuard<'_>, LockError> {
        match self.0.lock().try_lock() {
            Some(Acquired::Clean) => self.guard(must_be_consistent),
            Some(Acquired::OwnerDied) => self.guard_of_dead(must_be_consistent),
            None if self.0.is_intact() => Err(LockError::WouldBlock),
            None => Err(LockError::Broken),
        }
    }

    fn wait(
        &self,
        deadline: Option<Instant>,
        must_be_consistent: bool,
    ) -> Result<LockGuard<'_>, LockError> {
        if self.0.lock().is_owned() {
            return Err(LockError::Deadlock);
        }
        match acquire(&self.0, deadline)? {
            Acquired::Clean => self.guard(must_be_consistent),
            Acquired::OwnerDied => self.guard_of_dead(must_be_consistent),
        }
    }

    /// Returns the guard of the lock that this thread has just acquired.
    #[inline]
    fn guard(&self, must_be_consistent: bool) -> Result<LockGuard<'_>, LockError> {
        let guard = LockGuard {
            memory: &self.0,
            thread: PhantomData,
        };
        if self.0.is_consistent() {
            return Ok(guard);
        }
        if !self.0.is_intact() {
            return Err(LockError::Broken);
        }
        if must_be_consistent {
            return Err(LockError::OwnerDied);
        }
        Ok(guard)
    }

    #[cold]
    fn guard_of_dead(&self, must_be_consistent: bool) -> Result<LockGuard<'_>, LockError> {
        // A thread that is killed before this store leaves the news of its own death.
        self.0.set_inconsistent();
        self.guard(must_be_consistent)
    }
}

/// Waits for the lock of a memory.
pub(super) fn acquire(memory: &Memory, deadline: Option<Instant>) -> Result<Acquired, LockError> {
    let is_intact = |owner| memory.is_intact() && owner <= sys::MAX_THREAD_ID;
    match memory.lock().lock(deadline, is_intact) {
        LockResult::Locked(acquired) => Ok(acquired),
        LockResult::TimedOut => Err(LockError::TimedOut),
        LockResult::Broken => Err(LockError::Broken),
    }
}

shared_handle!(Lock);

/// Ownership of a [`Lock`]. Dropping it unlocks. It belongs to its thread.
#[must_use = "dropping the guard unlocks"]
pub struct LockGuard<'a> {
    memory: &'a Memory,
    /// The kernel notes the owner by its thread.
    thread: PhantomData<*const ()>,
}

impl LockGuard<'_> {
    /// Returns whether a thread died while it owned the lock, and no thread has repaired since.
    pub fn is_inconsistent(&self) -> bool {
        !self.memory.is_consistent()
    }

    /// Marks what the lock guards as repaired after an owner's death. See [`LockError::OwnerDied`].
    pub fn mark_consistent(&self) {
        self.memory.mark_consistent();
    }

    /// Unlocks until [`lock_again`](Self::lock_again).
    pub(super) fn unlock_for_now(&self) {
        self.memory.unlock();
    }

    /// Locks again. True: what the lock guards is consistent.
    pub(super) fn lock_again(&self) -> Result<bool, LockError> {
        if acquire(self.memory, None)? == Acquired::OwnerDied {
            self.memory.set_inconsistent();
        }
        if !self.memory.is_intact() {
            return Err(LockError::Broken);
        }
        Ok(self.memory.is_consistent())
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.memory.unlock();
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("is_inconsistent", &self.is_inconsistent())
            .finish_non_exhaustive()
    }
}
