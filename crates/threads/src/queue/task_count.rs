//! Which of the items put have been reported done: what `task_done` and `join` stand on.

use crate::error::{TimedOut, TooManyTasksDone};
use crate::park::WaitQueue;
use crate::park::sys::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The number of finished tasks; the queue itself knows how many were put and taken.
pub(super) struct TaskCount {
    /// Twice the number, plus `WAITED` while somebody may be on the list: one word, so that counting a task and
    /// looking for joiners is one step. What is compared with it is doubled too, and so loses the same bit.
    done: AtomicUsize,
    joiners: WaitQueue,
}

const WAITED: usize = 1;
const TASK: usize = 2;

impl TaskCount {
    pub(super) fn new() -> Self {
        Self {
            done: AtomicUsize::new(0),
            joiners: WaitQueue::new(),
        }
    }

    /// Counts one task as done, if fewer than `taken` are.
    #[inline]
    pub(super) fn finish(
        &self,
        taken: impl Fn() -> usize,
        put: impl Fn() -> usize,
    ) -> Result<(), TooManyTasksDone> {
        let mut done = self.done.load(Ordering::Acquire);
        loop {
            // Read after each new `done`, whose Acquire makes it at least as large.
            if done & !WAITED == taken().wrapping_mul(TASK) {
                return Err(TooManyTasksDone);
            }
            // Release: a joiner that sees the count sees what the task did.
            match self.done.compare_exchange_weak(
                done,
                done.wrapping_add(TASK),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        if done & WAITED != 0 {
            self.wake_joiners(put);
        }
        Ok(())
    }

    /// Counts `n` items as done that were taken out unprocessed.
    pub(super) fn discard(&self, n: usize, put: impl Fn() -> usize) {
        let done = self.done.fetch_add(n.wrapping_mul(TASK), Ordering::AcqRel);
        if done & WAITED != 0 {
            self.wake_joiners(put);
        }
    }

    #[cold]
    fn wake_joiners(&self, put: impl Fn() -> usize) {
        if self.unfinished(put) != 0 {
            return;
        }
        let everyone = || usize::MAX;
        self.joiners.wake_with(everyone, |left| {
            if left == 0 {
                self.done.fetch_and(!WAITED, Ordering::Relaxed);
            }
        });
    }

    /// How many of the `put` items are not done.
    pub(super) fn unfinished(&self, put: impl Fn() -> usize) -> usize {
        // Read before `put`: the difference is then never negative.
        let done = self.done.load(Ordering::Acquire) & !WAITED;
        put().wrapping_mul(TASK).wrapping_sub(done) / TASK
    }

    /// Blocks until every item put is done.
    pub(super) fn join(
        &self,
        deadline: Option<Instant>,
        put: impl Fn() -> usize,
    ) -> Result<(), TimedOut> {
        let poll = || (self.unfinished(&put) == 0).then_some(());
        // AcqRel: a task that is counted before is seen by the poll that follows, one that is counted after
        // sees the flag.
        let mark = || _ = self.done.fetch_or(WAITED, Ordering::AcqRel);
        poll()
            .or_else(|| self.joiners.wait_marked(deadline, mark, poll))
            .ok_or(TimedOut)
    }
}
