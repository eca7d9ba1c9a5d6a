//! Which of the items put have been reported done: what `task_done` and `join` stand on.

use crate::error::{TimedOut, TooManyTasksDone};
use crate::imp::atomic::{AtomicUsize, Ordering};
use crate::signal::WaitQueue;
use std::time::Instant;

/// The number of finished tasks; the queue itself knows how many were put and taken.
pub(super) struct TaskCount {
    done: AtomicUsize,
    joiners: WaitQueue,
}

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
            if done == taken() {
                return Err(TooManyTasksDone);
            }
            // Release: a joiner that sees the count sees what the task did.
            match self.done.compare_exchange_weak(
                done,
                done.wrapping_add(1),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(now) => done = now,
            }
        }
        self.wake_joiners(put);
        Ok(())
    }

    /// Counts `n` items as done that were taken out unprocessed.
    pub(super) fn discard(&self, n: usize, put: impl Fn() -> usize) {
        self.done.fetch_add(n, Ordering::AcqRel);
        self.wake_joiners(put);
    }

    #[inline]
    fn wake_joiners(&self, put: impl Fn() -> usize) {
        if self.joiners.has_waiters() && self.unfinished(&put) == 0 {
            self.joiners.notify(usize::MAX);
        }
    }

    /// How many of the `put` items are not done.
    pub(super) fn unfinished(&self, put: impl Fn() -> usize) -> usize {
        // Read before `put`: the difference is then never negative.
        let done = self.done.load(Ordering::Acquire);
        put().wrapping_sub(done)
    }

    /// Blocks until every item put is done.
    pub(super) fn join(
        &self,
        deadline: Option<Instant>,
        put: impl Fn() -> usize,
    ) -> Result<(), TimedOut> {
        let poll = || (self.unfinished(&put) == 0).then_some(());
        match poll() {
            Some(()) => Ok(()),
            None => self.joiners.wait(deadline, poll).ok_or(TimedOut),
        }
    }
}
