//! The time limit of a queue's operation.

use std::time::{Duration, Instant};

/// Upper bound of the time for which a call waits for a lock beyond its own limit. Locks are held for microseconds unless
/// their owner is stopped (SIGSTOP, debugger).
const TRY_LOCK_BUDGET: Duration = Duration::from_millis(100);

/// Time limit of a wait for items or room.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timeout {
    Unlimited,
    Until(Instant),
    /// It does not wait.
    Immediate,
}

impl Timeout {
    /// Returns the timeout that ends after `time`. A moment beyond the clock's range means no limit.
    pub(super) fn after(time: Duration) -> Self {
        Instant::now()
            .checked_add(time)
            .map_or(Self::Unlimited, Self::Until)
    }

    /// Returns the time that is left.
    pub(super) fn left(self) -> Duration {
        match self {
            Self::Unlimited => Duration::MAX,
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            Self::Immediate => Duration::ZERO,
        }
    }

    /// Returns the deadline of a wait for a lock.
    pub(super) fn lock_deadline(self) -> Option<Instant> {
        let soonest = Instant::now() + TRY_LOCK_BUDGET;
        match self {
            Self::Unlimited => None,
            Self::Until(deadline) => Some(deadline.max(soonest)),
            Self::Immediate => Some(soonest),
        }
    }
}
