//! What is taken from a worker again: what it has not begun, and what it leaves when it dies.

use std::collections::VecDeque;
use std::time::Instant;

use crate::error::{JobError, StartError};
use crate::host::start;
use crate::wire::frame;

use super::{Stage, WorkerHandle};
use crate::pool::job::batch::BatchSlice;

/// What a worker's death leaves behind.
pub(in crate::pool) struct Remains {
    /// What to say about that task.
    pub(in crate::pool) died: JobError,
    /// The task that it was running.
    pub(in crate::pool) lost: Option<BatchSlice>,
    /// What it was given and had not begun, in order.
    pub(in crate::pool) unbegun: Vec<BatchSlice>,
    /// It died before it could take tasks.
    pub(in crate::pool) stillborn: Option<StartError>,
    /// It could take tasks, and died before the first.
    pub(in crate::pool) untried: bool,
}

impl WorkerHandle {
    /// Takes back all that it has not begun, in order.
    pub(in crate::pool) fn take_back(&mut self) -> Vec<BatchSlice> {
        let begun = self.page.revoke();
        self.recalled = true;
        self.link.out().push(frame::REVOKE_ACK);
        let unbegun = self.split_from(begun);
        if let Some(left) = &mut self.lifetime {
            *left += unbegun.iter().map(BatchSlice::count).sum::<usize>();
        }
        unbegun
    }

    /// Removes the items with this number and above. The page is not trusted: what is answered was begun.
    fn split_from(&mut self, begun: u64) -> Vec<BatchSlice> {
        // A number that the worker cannot have reached was overwritten: everything may have begun.
        let reached = begun.checked_sub(self.answered);
        let reached = reached.and_then(|begun| usize::try_from(begun).ok());
        let mut keep = reached
            .filter(|_| begun >= self.begun_seen)
            .map_or(self.outstanding, |begun| begun.min(self.outstanding));
        let mut kept = VecDeque::new();
        let mut unbegun = Vec::new();
        self.outstanding = keep;
        for mut work in self.flights.drain(..) {
            if keep >= work.count() {
                keep -= work.count();
                kept.push_back(work);
                continue;
            }
            if keep > 0 {
                kept.push_back(work.split_front(keep));
                keep = 0;
            }
            work.take_back();
            unbegun.push(work);
        }
        self.flights = kept;
        unbegun
    }

    /// Whether it has begun nothing since the last look although it has more to do than what it runs.
    pub(in crate::pool) fn is_stuck(&mut self) -> bool {
        let begun = self.page.next();
        let idle = begun == self.begun_seen;
        self.begun_seen = begun;
        // One that was told to stop reads no frames that come later.
        idle && self.stage == Stage::Ready
            && !self.recalled
            && self.answered + self.outstanding as u64 > begun
    }

    /// Collects it, if it has ended, and sorts what it held.
    ///
    /// A worker commits a task's result before it claims the next one. So of what was begun, at most the last has no
    /// result once the socket is drained and the page is read; everything after it was never begun, and nobody but this
    /// process can give it to a worker again: it is run exactly once.
    pub(in crate::pool) fn bury(&mut self, now: Instant) -> Option<Remains> {
        let (status, usage) = start::collect(self.pid, &self.pidfd)?;
        if self.trouble.is_none() {
            self.link.drain();
            if let Some(bytes) = self.page.remains(self.link.position()) {
                self.link.append(&bytes);
            }
            self.parse(now);
        }
        self.closed = true;
        let unbegun = self.split_from(self.page.next());
        let mut flights = std::mem::take(&mut self.flights).into_iter();
        let lost = flights.next();
        let early = self.stage_is_early();
        let untried = self.stage == Stage::Ready && self.answered == self.first && lost.is_none();
        let stillborn = early.then(|| {
            self.trouble
                .take()
                .unwrap_or(StartError::of_early_end(status))
        });
        let died = JobError::WorkerDied {
            pid: self.pid,
            signal: status.signal(),
            code: status.code(),
            usage,
        };
        // Only a worker whose page was overwritten can have more than one; they cannot be told from finished ones.
        flights.for_each(|work| work.fail(&died));
        Some(Remains {
            died,
            lost,
            unbegun,
            stillborn,
            untried,
        })
    }
}
