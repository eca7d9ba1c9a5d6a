//! Tells how far a pool is, now and then.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pool::stats::{Counters, PoolStats};

/// Who is told, and how often.
#[derive(Clone)]
pub(crate) struct Progress {
    every: Duration,
    tell: Arc<dyn Fn(PoolStats) + Send + Sync>,
}

impl Progress {
    pub(in crate::pool) fn new(
        every: Duration,
        tell: impl Fn(PoolStats) + Send + Sync + 'static,
    ) -> Self {
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
pub(in crate::pool) struct Reporter {
    progress: Option<Progress>,
    told: u64,
    next: Instant,
    due: Option<Instant>,
}

impl Reporter {
    pub(in crate::pool) fn new(progress: Option<Progress>) -> Self {
        Self {
            progress,
            told: 0,
            next: Instant::now(),
            due: None,
        }
    }

    /// Whether tasks have ended of which somebody is to be told.
    pub(in crate::pool) fn has_news(&self, counters: &Counters) -> bool {
        self.progress.is_some() && counters.ended() != self.told
    }

    /// Tells that tasks have ended: not before its time, unless it is the last chance.
    pub(in crate::pool) fn report(&mut self, counters: &Counters, last: bool) {
        let Some(progress) = &self.progress else {
            return;
        };
        let now = Instant::now();
        if !last && now < self.next {
            self.due = Some(self.next);
            return;
        }
        self.told = counters.ended();
        self.due = None;
        self.next = now.checked_add(progress.every).unwrap_or(now);
        let stats = counters.stats();
        // A callback that panics does not harm the pool.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| (progress.tell)(stats)));
    }

    /// When it must look again.
    pub(in crate::pool) fn due(&self) -> Option<Instant> {
        self.due
    }
}
