//! Locks that are not had, conditions and barriers that do not come about.

use std::error::Error;
use std::fmt;

const OVERWRITTEN: &str =
    "the primitive's memory was overwritten by a process that has it: drop it and make a new one";

/// A lock, or a permit of a semaphore, was not had as it should be. `G` is the guard.
#[non_exhaustive]
pub enum LockError<G> {
    /// It is had, but whoever had it before died with it: what it guards may be changed in part. Look after that, then
    /// call [`recover`](Self::recover). Dropping the guard instead leaves the same news to the next one.
    OwnerDied(G),
    /// Somebody else has it, and the time to wait is over.
    TimedOut,
    /// This thread has it already, and would wait for itself.
    Deadlock,
    /// A process has overwritten the primitive's memory.
    Broken,
}

impl<G: Recover> LockError<G> {
    /// The guard of an owner that died, once what it guards is in order again: the next one hears nothing of it.
    ///
    /// # Errors
    ///
    /// The other errors, as they are.
    ///
    /// ```
    /// use procs::LockError;
    /// use procs::sync::Lock;
    ///
    /// let lock = Lock::new()?;
    /// let guard = lock.lock().or_else(LockError::recover).unwrap();
    /// # drop(guard);
    /// # Ok::<(), procs::SystemError>(())
    /// ```
    pub fn recover(self) -> Result<G, Self> {
        match self {
            Self::OwnerDied(guard) => {
                guard.recovered();
                Ok(guard)
            }
            other => Err(other),
        }
    }
}

/// A guard that can be in doubt.
pub trait Recover: sealed::Recover {}

impl<G: sealed::Recover> Recover for G {}

pub(crate) mod sealed {
    pub trait Recover {
        /// What is guarded is in order again.
        fn recovered(&self);
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnerDied(_) => "OwnerDied(..)",
            Self::TimedOut => "TimedOut",
            Self::Deadlock => "Deadlock",
            Self::Broken => "Broken",
        })
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnerDied(_) => {
                "whoever held this before died with it: look after what it guards, then call recover"
            }
            Self::TimedOut => "somebody else has it and the time to wait is over: wait longer",
            Self::Deadlock => {
                "this thread holds the lock already and would wait for itself: use an RLock"
            }
            Self::Broken => OVERWRITTEN,
        })
    }
}

impl<G> Error for LockError<G> {}

/// A wait at a condition ended without a notification, or in doubt. The lock is held again, but for `Broken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConditionError {
    /// Nobody notified, and the time to wait is over.
    TimedOut,
    /// Somebody died while it held the lock: look after what that guards, then call `recover` of the guard.
    OwnerDied,
    /// As many threads as there is room for wait already.
    Crowded,
    /// A process has overwritten the memory of the condition or of the lock. The lock may not be held.
    Broken,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "nobody notified and the time to wait is over: wait longer",
            Self::OwnerDied => {
                "somebody died while it held the lock: look after what it guards, then call recover of the guard"
            }
            Self::Crowded => "too many threads wait already: use several conditions",
            Self::Broken => OVERWRITTEN,
        })
    }
}

impl Error for ConditionError {}

/// A barrier does not let anybody pass: somebody's time was over, somebody died waiting at it, or it was aborted or reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the barrier is broken: somebody was late, died or aborted it; reset it to use it again",
        )
    }
}

impl Error for Broken {}

/// A bounded semaphore would have more permits than it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverRelease;

impl fmt::Display for OverRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more permits were released than acquired: release once for each acquire")
    }
}

impl Error for OverRelease {}
