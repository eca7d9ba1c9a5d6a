//! Errors of the synchronization primitives that processes share.

use std::error::Error;
use std::fmt;

use super::SystemError;

const OVERWRITTEN: &str = "the primitive's memory was overwritten by a process that has it";

/// A lock or a permit was not acquired.
///
/// It is the error of [`Lock`](crate::sync::Lock), [`RLock`](crate::sync::RLock),
/// [`Semaphore`](crate::sync::Semaphore) and [`BoundedSemaphore`](crate::sync::BoundedSemaphore). It holds no guard, so
/// that `?` passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockError {
    /// A thread died while it owned the lock or permit, and what that guards may be changed in part. Nothing was acquired.
    /// The error stays until a thread calls `recover`, repairs, and calls `mark_consistent` of the guard.
    OwnerDied,
    /// Another thread owns the lock, or there is no permit. Only `try_` methods return it.
    WouldBlock,
    /// The time limit has passed.
    TimedOut,
    /// The calling thread owns the lock already. Waiting for it would never end.
    Deadlock,
    /// As many threads as there is room for hold permits (4096), or the system has no memory to note one more.
    Exhausted,
    /// A process has overwritten the primitive's memory. The primitive cannot be used any more.
    Broken,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnerDied => "a thread died while it owned the lock or permit",
            Self::WouldBlock => "the lock is owned by another thread, or there is no permit",
            Self::TimedOut => "the lock or permit was not free within the time limit",
            Self::Deadlock => "the calling thread owns the lock already",
            Self::Exhausted => "there is no room to note one more holder of a permit",
            Self::Broken => OVERWRITTEN,
        })
    }
}

impl Error for LockError {}

/// A wait for an [`Event`](crate::sync::Event) ended without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventError {
    /// The event was not set within the time limit.
    TimedOut,
    /// A process has overwritten the event's memory.
    Broken,
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the event was not set within the time limit",
            Self::Broken => OVERWRITTEN,
        })
    }
}

impl Error for EventError {}

/// A wait at a [`Condition`](crate::sync::Condition) ended without a notification, or the lock's last owner died.
///
/// The lock is owned again, except after [`Broken`](Self::Broken).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConditionError {
    /// No notification came within the time limit.
    TimedOut,
    /// A thread died while it owned the lock. Repair what that guards, then call `mark_consistent` of the guard.
    OwnerDied,
    /// As many threads as there is room for wait already (4096), or the system has no memory to note one more.
    Exhausted,
    /// A process has overwritten the memory of the condition or of the lock. The lock may not be owned.
    Broken,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the condition was not notified within the time limit",
            Self::OwnerDied => "a thread died while it owned the lock",
            Self::Exhausted => "there is no room to note one more waiting thread",
            Self::Broken => OVERWRITTEN,
        })
    }
}

impl Error for ConditionError {}

/// A wait at a [`Barrier`](crate::sync::Barrier) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarrierError {
    /// The time limit of this call has passed. The barrier is broken now.
    TimedOut,
    /// The barrier is broken: a thread's time limit has passed, a thread died at it, it was aborted, it was reset during
    /// the wait, or a process has overwritten its memory.
    Broken,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "not all parties came to the barrier within the time limit",
            Self::Broken => "the barrier is broken",
        })
    }
}

impl Error for BarrierError {}

/// Permits were not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseError {
    /// There would be more permits than the semaphore may have. None was released.
    TooMany,
    /// A process has overwritten the semaphore's memory.
    Broken,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "more permits were released than the semaphore may have",
            Self::Broken => OVERWRITTEN,
        })
    }
}

impl Error for ReleaseError {}

/// A primitive with a number of parties or permits was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// The number is outside the range of the primitive.
    #[non_exhaustive]
    OutOfRange {
        /// The number that was asked for.
        given: usize,
        /// The smallest number.
        min: usize,
        /// The largest number.
        max: usize,
    },
    /// The system refused memory or a descriptor.
    System(SystemError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { given, min, max } => {
                write!(f, "{given} is outside the range from {min} to {max}")
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for CreateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => error.source(),
            Self::OutOfRange { .. } => None,
        }
    }
}

impl From<SystemError> for CreateError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}
