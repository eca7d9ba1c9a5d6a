//! Pauses between starts that come to nothing.

use std::time::{Duration, Instant};

/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Counts failures in a row, and says when the next start may be tried.
#[derive(Debug)]
pub(in crate::pool) struct Backoff {
    /// Starts in a row that came to nothing.
    failures: u32,
    /// Those, and workers that died before their first task.
    short_lives: u32,
    next_start: Instant,
    /// When the first of the failures happened.
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

    /// A start came to nothing.
    pub(in crate::pool) fn start_failed(&mut self, now: Instant) {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures += 1;
        self.died_early(now);
    }

    /// A worker died before it had done anything: doubles the pause before the next start.
    pub(in crate::pool) fn died_early(&mut self, now: Instant) {
        self.short_lives += 1;
        self.next_start = now + FIRST_PAUSE * 2_u32.pow(self.short_lives.min(8) - 1);
    }

    /// Workers live long enough to work.
    pub(in crate::pool) fn reset(&mut self) {
        self.failures = 0;
        self.short_lives = 0;
    }

    pub(in crate::pool) fn failures(&self) -> u32 {
        self.failures
    }

    /// When the failures began.
    pub(in crate::pool) fn since(&self) -> Instant {
        self.since
    }

    pub(in crate::pool) fn next_start(&self) -> Instant {
        self.next_start
    }
}
