//! Tells how far a pool is, now and then.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stats::{PoolStats, Tally};

/// Who is told, and how often.
#[derive(Clone)]
pub(crate) struct Progress {
    every: Duration,
    tell: Arc<dyn Fn(PoolStats) + Send + Sync>,
}

impl Progress {
    pub(super) fn new(every: Duration, tell: impl Fn(PoolStats) + Send + Sync + 'static) -> Self {
        let tell = Arc::new(tell);
        Self { every, tell }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

/// When it was last told, and whether there is news since.
pub(super) struct Reporter {
    progress: Option<Progress>,
    told: u64,
    next: Instant,
    due: Option<Instant>,
}

impl Reporter {
    pub(super) fn new(progress: Option<Progress>) -> Self {
        Self {
            progress,
            told: 0,
            next: Instant::now(),
            due: None,
        }
    }

    /// Whether tasks have ended of which somebody is to be told.
    pub(super) fn has_news(&self, tally: &Tally) -> bool {
        self.progress.is_some() && tally.ended() != self.told
    }

    /// Tells that tasks have ended: not before its time, unless it is the last chance.
    pub(super) fn report(&mut self, tally: &Tally, last: bool) {
        let Some(progress) = &self.progress else {
            return;
        };
        let now = Instant::now();
        if !last && now < self.next {
            self.due = Some(self.next);
            return;
        }
        self.told = tally.ended();
        self.due = None;
        self.next = now.checked_add(progress.every).unwrap_or(now);
        let stats = tally.stats();
        // A callback that panics does not harm the pool.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| (progress.tell)(stats)));
    }

    /// When it must look again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}
