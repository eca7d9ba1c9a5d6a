//! Progress reports of a pool at a limited rate.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::pool::callbacks::Callback;
use crate::pool::stats::{Counters, PoolStats};

/// A callback for reports, and the shortest time between two reports.
#[derive(Clone)]
pub(crate) struct Progress {
    every: Duration,
    callback: Arc<dyn Fn(PoolStats) + Send + Sync>,
}

impl Progress {
    pub(in crate::pool) fn new(
        every: Duration,
        callback: impl Fn(PoolStats) + Send + Sync + 'static,
    ) -> Self {
        let callback = Arc::new(callback);
        Self { every, callback }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

/// Decides when the next report is made.
pub(in crate::pool) struct Reporter {
    progress: Option<Progress>,
    last_reported: u64,
    next: Instant,
    due: Option<Instant>,
}

impl Reporter {
    pub(in crate::pool) fn new(progress: Option<Progress>) -> Self {
        Self {
            progress,
            last_reported: 0,
            next: Instant::now(),
            due: None,
        }
    }

    /// Returns whether tasks have ended since the last report.
    pub(in crate::pool) fn has_news(&self, counters: &Counters) -> bool {
        self.progress.is_some() && counters.ended() != self.last_reported
    }

    /// Returns a report if one is due, or if it is the last one.
    pub(in crate::pool) fn report(
        &mut self,
        counters: &Counters,
        last: bool,
        now: Instant,
    ) -> Option<Callback> {
        let progress = self.progress.as_ref()?;
        if !last && now < self.next {
            self.due = Some(self.next);
            return None;
        }
        self.last_reported = counters.ended();
        self.due = None;
        self.next = now.checked_add(progress.every).unwrap_or(now);
        let (callback, stats) = (Arc::clone(&progress.callback), counters.stats());
        Some(Box::new(move || callback(stats)))
    }

    /// Returns when a delayed report is due.
    pub(in crate::pool) fn due(&self) -> Option<Instant> {
        self.due
    }
}
