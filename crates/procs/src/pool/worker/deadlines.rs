//! The time limits of a worker's tasks: one for the function, by the times in the journal, and one for the transfers before
//! and after it.
//!
//! | state | meaning | ends when | limit |
//! |---|---|---|---|
//! | `Idle` | the worker holds no task | a task is sent | none |
//! | `Waiting` | a task is sent or decoded, or its result is encoded or sent | the function is called; the last result arrives | no progress for the longest of `task_timeout`, [`MIN_TRANSFER_LIMIT`] and [`MIN_CODING_LIMIT`] |
//! | `Running` | a task's function runs | it returns | `task_timeout` since the call |
//!
//! Progress is a byte sent or received, a claim, a call, or a return. Long pauses between two checks do not count in full: a
//! parent that was stopped (SIGSTOP, debugger) has read nothing, so the worker could not send more.

use std::time::{Duration, Instant};

use crate::sys;
use crate::wire::journal::Journal;

/// Shortest limit of a transfer without progress: the worker may not have been scheduled.
const MIN_TRANSFER_LIMIT: Duration = Duration::from_secs(2);

/// Shortest limit of decoding arguments or encoding a result, during which no bytes are transferred.
const MIN_CODING_LIMIT: Duration = Duration::from_secs(10);

/// Slowest rate at which a worker on a loaded machine is expected to copy and decode, in bytes a second. Both limits grow by
/// the time that the bytes sent take at this rate.
const MIN_RATE: u64 = 8 << 20;

/// State of the clock. See the table above.
#[derive(Clone, Copy, Debug)]
enum ClockState {
    Idle,
    Waiting {
        /// Sum of all counters that grow with progress.
        progress: u64,
        /// The time without progress.
        waited: Duration,
        checked: Instant,
    },
    Running {
        number: u64,
        /// When its function was called.
        started: Instant,
    },
}

/// Result of a check of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Verdict {
    InTime,
    /// The function of the task with this number has exceeded the limit.
    TaskOverdue(u64),
    /// A transfer, a decoder or an encoder makes no progress.
    Stalled,
}

/// Measures the time of one worker's tasks.
#[derive(Debug)]
pub(in crate::pool) struct TaskClock {
    limit: Duration,
    state: ClockState,
    /// Bytes transferred before the outstanding tasks were sent.
    moved_before: u64,
}

/// Progress of a worker's tasks, as its parent sees it.
#[derive(Clone, Copy)]
pub(in crate::pool) struct Work {
    /// Number of tasks that the worker holds.
    pub(in crate::pool) outstanding: usize,
    /// The number of the first of them.
    pub(in crate::pool) answered: u64,
    /// Bytes sent and received.
    pub(in crate::pool) moved: u64,
}

impl TaskClock {
    pub(in crate::pool) fn new(limit: Duration) -> Self {
        Self {
            limit,
            state: ClockState::Idle,
            moved_before: 0,
        }
    }

    /// Starts the clock if it is `Idle`. Called when a task is sent to the worker.
    pub(in crate::pool) fn begin(&mut self, now: Instant) {
        if matches!(self.state, ClockState::Idle) {
            self.state = ClockState::Waiting {
                // Differs from every sum, so that the first check finds progress.
                progress: u64::MAX,
                waited: Duration::ZERO,
                checked: now,
            };
        }
    }

    /// Returns when the next check is due: after a quarter of the limit, or when the running task reaches its limit.
    pub(in crate::pool) fn next_check(&self, now: Instant) -> Option<Instant> {
        match self.state {
            ClockState::Idle => None,
            ClockState::Waiting { .. } => {
                Some(now + (self.limit / 4).max(Duration::from_millis(1)))
            }
            ClockState::Running { started, .. } => started.checked_add(self.limit),
        }
    }

    /// Reads the journal, and compares the time with the limits.
    pub(in crate::pool) fn check(
        &mut self,
        journal: &Journal,
        work: Work,
        now: Instant,
    ) -> Verdict {
        if work.outstanding == 0 {
            self.state = ClockState::Idle;
            self.moved_before = work.moved;
            return Verdict::InTime;
        }
        let next = journal.next();
        let running = journal
            .running()
            .filter(|(number, _)| *number >= work.answered);
        let Some((number, nanos)) = running else {
            return self.check_progress(next, work, now);
        };
        let mut started = instant_at(nanos, now);
        if let ClockState::Running {
            number: before,
            started: known,
        } = self.state
            && before == number
        {
            // The earliest reading counts: a task may have overwritten the word since.
            started = started.min(known);
        }
        self.state = ClockState::Running { number, started };
        if now.saturating_duration_since(started) >= self.limit {
            Verdict::TaskOverdue(number)
        } else {
            Verdict::InTime
        }
    }

    /// Compares the time without progress with the limit of transfers.
    fn check_progress(&mut self, next: u64, work: Work, now: Instant) -> Verdict {
        let progress = work.moved.wrapping_add(next);
        let minimum = if next == work.answered {
            MIN_TRANSFER_LIMIT
        } else {
            MIN_CODING_LIMIT
        };
        let moved = work.moved.saturating_sub(self.moved_before);
        let limit = self
            .limit
            .max(minimum + Duration::from_secs(moved / MIN_RATE));
        let mut time = Duration::ZERO;
        if let ClockState::Waiting {
            progress: before,
            waited,
            checked,
        } = self.state
            && before == progress
        {
            let passed = now.saturating_duration_since(checked);
            time = waited + passed.min(limit / 4);
        }
        self.state = ClockState::Waiting {
            progress,
            waited: time,
            checked: now,
        };
        if time >= limit {
            Verdict::Stalled
        } else {
            Verdict::InTime
        }
    }
}

/// Converts nanoseconds of the monotonic clock. The result is at most `now`: an overwritten word may lie in the future.
fn instant_at(nanos: u64, now: Instant) -> Instant {
    let passed = sys::monotonic_nanos().saturating_sub(nanos);
    now.checked_sub(Duration::from_nanos(passed)).unwrap_or(now)
}
