//! A lock between processes that its owner may lock again.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::{LockError, SystemError};
use crate::sys::Acquired;

use super::lock::acquire;
use super::memory::{Kind, Memory, shared_handle};

/// A [`Lock`](super::Lock) that its owner may lock again.
///
/// Other threads get it when all guards are dropped. An owner's death has the same effects as there.
///
/// ```
/// use procs::sync::RLock;
///
/// let lock = RLock::new()?;
/// let outer = lock.lock()?;
/// let inner = lock.try_lock()?;
/// drop(outer);
/// assert!(lock.is_owned());
/// drop(inner);
/// assert!(!lock.is_owned());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "ReentrantMutex")]
#[derive(Clone)]
#[must_use = "a primitive does nothing unless its methods are called"]
#[doc(alias = "ReentrantLock")]
#[doc(alias = "recursive")]
pub struct RLock(Arc<Memory>);

impl RLock {
    /// Makes a free lock.
    ///
    /// # Errors
    ///
    /// The system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::RLock).map(Self)
    }

    /// Locks, at once if this thread owns the lock. Blocks while another thread owns it.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](LockError::OwnerDied) and [`Broken`](LockError::Broken).
    #[doc(alias = "acquire")]
    pub fn lock(&self) -> Result<RLockGuard<'_>, LockError> {
        self.lock_by(None, true)
    }

    /// Locks if no other thread owns the lock.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`WouldBlock`](LockError::WouldBlock) when another thread owns the lock.
    pub fn try_lock(&self) -> Result<RLockGuard<'_>, LockError> {
        self.try_by(true)
    }

    /// Locks. Blocks while another thread owns the lock, at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_for(&self, time: Duration) -> Result<RLockGuard<'_>, LockError> {
        self.lock_by(Instant::now().checked_add(time), true)
    }

    /// Locks. Blocks while another thread owns the lock, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`TimedOut`](LockError::TimedOut).
    pub fn lock_until(&self, deadline: Instant) -> Result<RLockGuard<'_>, LockError> {
        self.lock_by(Some(deadline), true)
    }

    /// Locks, also after an owner has died. [`RLockGuard::is_inconsistent`] returns whether there is something to repair.
    ///
    /// # Errors
    ///
    /// [`Broken`](LockError::Broken).
    pub fn recover(&self) -> Result<RLockGuard<'_>, LockError> {
        self.lock_by(None, false)
    }

    /// As [`recover`](Self::recover), if no other thread owns the lock.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`WouldBlock`](LockError::WouldBlock) when another thread owns the lock.
    pub fn try_recover(&self) -> Result<RLockGuard<'_>, LockError> {
        self.try_by(false)
    }

    /// As [`recover`](Self::recover), but blocks at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`TimedOut`](LockError::TimedOut).
    pub fn recover_for(&self, time: Duration) -> Result<RLockGuard<'_>, LockError> {
        self.lock_by(Instant::now().checked_add(time), false)
    }

    /// As [`recover`](Self::recover), but blocks until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`recover`](Self::recover), and [`TimedOut`](LockError::TimedOut).
    pub fn recover_until(&self, deadline: Instant) -> Result<RLockGuard<'_>, LockError> {
        self.lock_by(Some(deadline), false)
    }

    /// Returns whether this thread owns the lock.
    pub fn is_owned(&self) -> bool {
        self.0.lock().is_owned()
    }

    fn try_by(&self, must_be_consistent: bool) -> Result<RLockGuard<'_>, LockError> {
        if self.is_owned() {
            return self.guard(None, must_be_consistent);
        }
        match self.0.lock().try_lock() {
            Some(acquired) => self.guard(Some(acquired), must_be_consistent),
            None if self.0.is_intact() => Err(LockError::WouldBlock),
            None => Err(LockError::Broken),
        }
    }

    fn lock_by(
        &self,
        deadline: Option<Instant>,
        must_be_consistent: bool,
    ) -> Result<RLockGuard<'_>, LockError> {
        let acquired = match self.is_owned() {
            true => None,
            false => Some(acquire(&self.0, deadline)?),
        };
        self.guard(acquired, must_be_consistent)
    }

    /// One more guard of the lock that this thread owns. `None`: it owned the lock before.
    fn guard(
        &self,
        acquired: Option<Acquired>,
        must_be_consistent: bool,
    ) -> Result<RLockGuard<'_>, LockError> {
        let depth = self.0.lock().depth();
        let before = match acquired {
            None => depth.load(Relaxed),
            Some(_) => 0,
        };
        depth.store(before + 1, Relaxed);
        let guard = RLockGuard {
            memory: &self.0,
            thread: PhantomData,
        };
        if acquired == Some(Acquired::OwnerDied) {
            self.0.set_inconsistent();
        }
        if !self.0.is_intact() {
            return Err(LockError::Broken);
        }
        // A thread that owns the lock has got the error before.
        if must_be_consistent && before == 0 && guard.is_inconsistent() {
            return Err(LockError::OwnerDied);
        }
        Ok(guard)
    }
}

shared_handle!(RLock);

/// Ownership of an [`RLock`]. Dropping the last guard unlocks. It belongs to its thread.
#[must_use = "dropping the guard unlocks"]
pub struct RLockGuard<'a> {
    memory: &'a Memory,
    /// The kernel notes the owner by its thread.
    thread: PhantomData<*const ()>,
}

impl RLockGuard<'_> {
    /// Returns whether a thread died while it owned the lock, and no thread has repaired since.
    pub fn is_inconsistent(&self) -> bool {
        !self.memory.is_consistent()
    }

    /// Marks what the lock guards as repaired after an owner's death. See [`LockError::OwnerDied`].
    pub fn mark_consistent(&self) {
        self.memory.mark_consistent();
    }

    /// Unlocks until [`lock_again`](Self::lock_again). Returns the number of guards.
    pub(super) fn unlock_for_now(&self) -> u32 {
        let depth = self.memory.lock().depth().swap(0, Relaxed);
        self.memory.unlock();
        depth
    }

    /// Locks again, for as many guards. True: what the lock guards is consistent.
    pub(super) fn lock_again(&self, depth: u32) -> Result<bool, LockError> {
        if acquire(self.memory, None)? == Acquired::OwnerDied {
            self.memory.set_inconsistent();
        }
        self.memory.lock().depth().store(depth, Relaxed);
        if !self.memory.is_intact() {
            return Err(LockError::Broken);
        }
        Ok(self.memory.is_consistent())
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        let lock = self.memory.lock();
        // A forked child that drops its copy of a guard does not own the lock.
        if lock.is_owned() {
            let left = lock.depth().load(Relaxed).saturating_sub(1);
            lock.depth().store(left, Relaxed);
            if left == 0 {
                self.memory.unlock();
            }
        }
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLockGuard")
            .field("is_inconsistent", &self.is_inconsistent())
            .finish_non_exhaustive()
    }
}
