//! Time limits of a worker: to start, to run a task, to exit.

use std::time::{Duration, Instant};

use crate::error::StartError;
use crate::sys;
use crate::wire::START_DEADLINE;

use crate::pool::worker::{Stage, WorkerHandle};

/// How long a worker that has been told to stop, and has nothing left to do, may take to exit.
const EXIT_DEADLINE: Duration = Duration::from_secs(5);

/// How often a worker is looked at that has been given a task and not begun it.
const GLANCE: Duration = Duration::from_millis(5);

impl WorkerHandle {
    /// When it should be looked at again for the sake of its limits; `None` when it has none.
    pub(in crate::pool) fn next_look(
        &self,
        limit: Option<Duration>,
        now: Instant,
    ) -> Option<Instant> {
        let due = self.due(limit, now).filter(|_| !self.overdue)?;
        // Nobody tells when the worker begins the task, and from then on the limit counts.
        let on_its_way = self.outstanding > 0 && !self.has_begun();
        Some(if on_its_way {
            due.min(now + GLANCE)
        } else {
            due
        })
    }

    /// Kills it if its start, its task or its exit has taken too long.
    pub(in crate::pool) fn enforce(&mut self, limit: Option<Duration>, now: Instant) {
        if self.overdue || self.due(limit, now).is_none_or(|due| due > now) {
            return;
        }
        self.overdue = true;
        let start = match self.stage {
            Stage::Starting(_) => Some(START_DEADLINE),
            Stage::Initializing(_) => self.initializer_limit,
            Stage::Ready | Stage::Leaving => None,
        };
        if let Some(limit) = start {
            self.trouble.get_or_insert(StartError::TimedOut(limit));
        }
        self.kill();
    }

    /// When it must be done with what it is at.
    fn due(&self, limit: Option<Duration>, now: Instant) -> Option<Instant> {
        match self.stage {
            Stage::Starting(deadline) => Some(deadline),
            Stage::Initializing(deadline) => deadline,
            Stage::Leaving if self.outstanding == 0 => Some(self.waiting_since + EXIT_DEADLINE),
            _ if self.outstanding == 0 => None,
            _ if self.has_begun() => {
                match sys::monotonic_nanos().checked_sub(self.page.started()) {
                    Some(nanos) => Some(now + limit?.saturating_sub(Duration::from_nanos(nanos))),
                    // A task has overwritten the time.
                    None => Some(self.waiting_since + limit?),
                }
            }
            // A worker that was stopped from outside never begins it.
            _ => Some(self.waiting_since + limit?),
        }
    }

    /// Whether it is in the middle of a task.
    fn has_begun(&self) -> bool {
        self.page.next() > self.answered
    }
}
