//! Returning tasks from a worker: the unbegun ones of a living worker, and all of a dead one.

use std::time::Instant;

use crate::error::{JobError, StartError};
use crate::host::child;
use crate::process::status::{ExitStatus, ResourceUsage};
use crate::wire::{self, frame};

use super::{Ending, Phase, WorkerHandle};
use crate::pool::job::batch::BatchSlice;

/// The tasks of a worker that has ended, and why it has ended.
pub(in crate::pool) struct WorkerExit {
    /// Why it did not become ready; `None` if it did.
    pub(in crate::pool) start_error: Option<StartError>,
    /// Whether it became ready and ended before its first task.
    pub(in crate::pool) died_idle: bool,
    /// The task that it was running.
    pub(in crate::pool) in_flight: Option<BatchSlice>,
    /// The tasks that it had not begun, in order.
    pub(in crate::pool) unbegun: Vec<BatchSlice>,
    /// Number of deaths after which the next task to begin counts as their cause.
    pub(in crate::pool) unbegun_limit: u32,
    /// The error of a task that ends with the worker.
    pub(in crate::pool) error: JobError,
}

/// Number of workers that may die when a task is the next that they would begin. At this number the task ends in an error.
const MAX_UNBEGUN_DEATHS: u32 = 10;
/// The same for workers that were killed because a transfer made no progress.
const MAX_UNBEGUN_STALLS: u32 = 2;

impl WorkerHandle {
    /// Revokes the tasks that the worker has not begun, and returns them in order.
    pub(in crate::pool) fn revoke(&mut self) -> Vec<BatchSlice> {
        let next = self.journal.revoke();
        match &mut self.phase {
            Phase::Ready { revoking } => {
                *revoking = true;
                self.socket.write_buffer().push(frame::REVOKE_ACK);
            }
            // It reads nothing after the STOP frame, so there is nothing to acknowledge.
            Phase::Draining { revoked, .. } => *revoked = true,
            _ => {}
        }
        let unbegun = self.in_flight.split_from(next);
        if let Some(left) = &mut self.lifetime {
            *left += unbegun.iter().map(BatchSlice::count).sum::<usize>();
        }
        unbegun
    }

    /// Returns whether it has begun nothing since the last call although tasks wait behind the one that it runs.
    pub(in crate::pool) fn is_stalled(&mut self) -> bool {
        let stalled = self.in_flight.is_stalled_at(self.journal.next());
        let revocable = matches!(
            self.phase,
            Phase::Ready { revoking: false } | Phase::Draining { revoked: false, .. }
        );
        stalled && revocable
    }

    /// Collects the worker, if it has ended, and divides its tasks into the running one and the unbegun ones.
    ///
    /// A worker commits a task's result before it claims the next task. So once the socket and the journal are read, at most
    /// the last begun task has no result. The tasks after it have not begun and exist in this process only: each of them
    /// runs exactly once.
    pub(in crate::pool) fn reap(&mut self, now: Instant) -> Option<WorkerExit> {
        let (status, usage) = child::collect(self.pid, &self.pidfd)?;
        if !self.is_corrupt() {
            self.read_rest(now);
        }
        let unbegun = self.in_flight.split_from(self.journal.next());
        let error = self.task_error(status, usage);
        let has_answered = self.in_flight.has_answered();
        let mut in_flight = self.in_flight.drain();
        let lost = in_flight.next();
        // Only an overwritten journal leaves more than one: which of them have begun is unknown.
        in_flight.for_each(|slice| slice.fail(&error));
        let stalled = matches!(self.phase, Phase::Ending(Ending::Stalled { .. }));
        let limit = if stalled {
            MAX_UNBEGUN_STALLS
        } else {
            MAX_UNBEGUN_DEATHS
        };
        let died_idle = self.has_been_ready() && !has_answered && lost.is_none();
        Some(WorkerExit {
            start_error: self.start_error(status),
            died_idle,
            in_flight: lost,
            unbegun,
            unbegun_limit: limit,
            error,
        })
    }

    /// Reads the results of a worker that has ended from its socket and its journal.
    fn read_rest(&mut self, now: Instant) {
        self.socket.drain();
        if let Some(bytes) = self.journal.committed_after(self.socket.position()) {
            self.socket.append(&bytes);
        }
        self.parse(now);
    }

    /// Returns the error of the task that it was running.
    fn task_error(&self, status: ExitStatus, usage: ResourceUsage) -> JobError {
        match (&self.phase, self.limits.task) {
            (Phase::Ending(Ending::Overdue { .. } | Ending::Stalled { .. }), Some(limit)) => {
                return JobError::TaskTimedOut {
                    limit,
                    pid: self.pid,
                };
            }
            (Phase::Ending(Ending::PoolEnded { .. }), _) => return JobError::Closed,
            _ => {}
        }
        let panic = self
            .journal
            .report_of(self.in_flight.answered())
            .map(|report| wire::decode_panic(&report));
        match panic {
            // With `panic = "abort"` the panic is the cause of the death.
            Some(panic) if cfg!(panic = "abort") => JobError::Panicked(panic),
            panic => JobError::WorkerDied {
                pid: self.pid,
                status,
                usage,
                panic: panic.map(Box::new),
            },
        }
    }

    /// Returns why it did not start; `None` if it did.
    fn start_error(&self, status: ExitStatus) -> Option<StartError> {
        match &self.phase {
            Phase::Starting { .. } => Some(StartError::of_early_end(status)),
            Phase::Initializing { .. } if self.has_initializer => {
                Some(StartError::InitializerDied(status))
            }
            Phase::Initializing { .. } => Some(StartError::of_early_end(status)),
            Phase::Ending(Ending::NotStarted(error)) => Some(error.clone()),
            Phase::Ready { .. } | Phase::Draining { .. } | Phase::Ending(_) => None,
        }
    }
}
