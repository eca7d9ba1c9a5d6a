//! Pauses between starts of workers while they die before their first task.

use std::time::{Duration, Instant};

/// Pause after the first failure. It doubles with each failure, up to 128 times this length.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Counts failures in a row, and sets the time of the next start.
#[derive(Debug)]
pub(in crate::pool) struct Backoff {
    /// Failed starts in a row.
    failures: u32,
    /// Failed starts, and workers that died before their first task, in a row.
    short_lives: u32,
    next_start: Instant,
    /// When the first failure of the row happened.
    since: Instant,
}

impl Backoff {
    pub(in crate::pool) fn new(now: Instant) -> Self {
        Self {
            failures: 0,
            short_lives: 0,
            next_start: now,
            since: now,
        }
    }

    /// Counts a failed start.
    pub(in crate::pool) fn start_failed(&mut self, now: Instant) {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures += 1;
        self.died_early(now);
    }

    /// Counts a worker that ended before its first task: doubles the pause before the next start.
    pub(in crate::pool) fn died_early(&mut self, now: Instant) {
        self.short_lives += 1;
        self.next_start = now + FIRST_PAUSE * 2_u32.pow(self.short_lives.min(8) - 1);
    }

    /// Ends the row: a task has ended, or a worker has died of one.
    pub(in crate::pool) fn reset(&mut self) {
        self.failures = 0;
        self.short_lives = 0;
    }

    pub(in crate::pool) fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns when the row of failures began.
    pub(in crate::pool) fn since(&self) -> Instant {
        self.since
    }

    pub(in crate::pool) fn next_start(&self) -> Instant {
        self.next_start
    }
}
