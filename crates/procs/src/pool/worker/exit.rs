//! Taking tasks back from a worker: those that it has not begun, and those that it has when it ends.

use std::time::Instant;

use crate::error::{JobError, StartError};
use crate::host::child;
use crate::process::status::{ExitStatus, ResourceUsage};
use crate::wire::{self, frame};

use super::{Ending, Phase, WorkerHandle};
use crate::pool::job::batch::BatchSlice;

/// What remains of a worker that has ended.
pub(in crate::pool) struct WorkerExit {
    /// Why it ended before it could take tasks, if it did.
    pub(in crate::pool) start_error: Option<StartError>,
    /// Whether it could take tasks, and ended before the first.
    pub(in crate::pool) died_idle: bool,
    /// The task that it was running.
    pub(in crate::pool) in_flight: Option<BatchSlice>,
    /// The tasks that it had not begun, in order.
    pub(in crate::pool) unbegun: Vec<BatchSlice>,
    /// Number of such deaths after which the first unbegun task counts as their cause.
    pub(in crate::pool) unbegun_limit: u32,
    /// The error of a task that ends with the worker.
    pub(in crate::pool) error: JobError,
}

/// A task that waited first in line in this many workers that died before they began it is not given to another.
const MAX_UNBEGUN_DEATHS: u32 = 10;
/// The same for workers that were killed because nothing moved.
const MAX_UNBEGUN_STALLS: u32 = 2;

impl WorkerHandle {
    /// Takes back the tasks that the worker has not begun, in order.
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
        let unbegun = self.split_from(next);
        if let Some(left) = &mut self.lifetime {
            *left += unbegun.iter().map(BatchSlice::count).sum::<usize>();
        }
        unbegun
    }

    /// Removes the items with this number and above. The number is checked: an answered item was begun.
    fn split_from(&mut self, next: u64) -> Vec<BatchSlice> {
        // A number that the worker cannot have reached was overwritten: any item may have been begun.
        let reached = next.checked_sub(self.answered);
        let reached = reached.and_then(|begun| usize::try_from(begun).ok());
        let mut keep = reached
            .filter(|_| next >= self.next_seen)
            .map_or(self.outstanding, |begun| begun.min(self.outstanding));
        let mut unbegun = Vec::new();
        self.outstanding = keep;
        for mut slice in std::mem::take(&mut self.in_flight) {
            if keep >= slice.count() {
                keep -= slice.count();
                self.in_flight.push_back(slice);
                continue;
            }
            if keep > 0 {
                self.in_flight.push_back(slice.split_front(keep));
                keep = 0;
            }
            slice.take_back();
            unbegun.push(slice);
        }
        unbegun
    }

    /// Whether it has begun nothing since the last call although tasks wait behind the one that it runs.
    pub(in crate::pool) fn is_stuck(&mut self) -> bool {
        let next = self.journal.next();
        let same = next == self.next_seen;
        self.next_seen = self.next_seen.max(next);
        let revocable = matches!(
            self.phase,
            Phase::Ready { revoking: false } | Phase::Draining { revoked: false, .. }
        );
        same && revocable && self.answered + self.outstanding as u64 > next
    }

    /// Collects the worker, if it has ended, and divides its tasks into the running one and the unbegun ones.
    ///
    /// A worker commits a task's result before it claims the next one. So of what was begun, at most the last has no
    /// result once the socket is drained and the journal is read. The items after it were not begun, and are in this
    /// process only: each is run exactly once.
    pub(in crate::pool) fn reap(&mut self, now: Instant) -> Option<WorkerExit> {
        let (status, usage) = child::collect(self.pid, &self.pidfd)?;
        if !self.is_corrupt() {
            self.read_rest(now);
        }
        let unbegun = self.split_from(self.journal.next());
        let error = self.task_error(status, usage);
        let mut in_flight = std::mem::take(&mut self.in_flight).into_iter();
        let lost = in_flight.next();
        let stalled = matches!(self.phase, Phase::Ending(Ending::Stalled));
        let limit = if stalled {
            MAX_UNBEGUN_STALLS
        } else {
            MAX_UNBEGUN_DEATHS
        };
        let died_idle = self.has_been_ready() && self.answered == self.first && lost.is_none();
        let exit = WorkerExit {
            start_error: self.start_error(status),
            died_idle,
            in_flight: lost,
            unbegun,
            unbegun_limit: limit,
            error: error.clone(),
        };
        // Only an overwritten journal leaves more than one: which of them were begun is unknown.
        in_flight.for_each(|slice| slice.fail(&error));
        Some(exit)
    }

    /// Reads the results that a worker that has ended left in its socket and in its journal.
    fn read_rest(&mut self, now: Instant) {
        self.socket.drain();
        if let Some(bytes) = self.journal.committed_after(self.socket.position()) {
            self.socket.append(&bytes);
        }
        self.parse(now);
    }

    /// Returns the error of the task that it was running.
    fn task_error(&self, status: ExitStatus, usage: ResourceUsage) -> JobError {
        if let (Phase::Ending(Ending::Overdue | Ending::Stalled), Some(limit)) =
            (&self.phase, self.task_timeout)
        {
            return JobError::TaskTimedOut {
                limit,
                pid: self.pid,
            };
        }
        let panic = self
            .journal
            .report_of(self.answered)
            .map(|report| wire::decode_panic(&report));
        match panic {
            // Where a panic aborts, the panic is the cause of the death.
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
