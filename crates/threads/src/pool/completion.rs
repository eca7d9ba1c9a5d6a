//! The ends of several jobs, in their order.

use crate::park::sys::Mutex;
use crate::park::{Backoff, WaitQueue};
use std::collections::VecDeque;
use std::time::Instant;

/// Indices of jobs that have ended, for one wait for several jobs.
pub(super) struct CompletionQueue {
    ended: Mutex<VecDeque<usize>>,
    waiter: WaitQueue,
}

impl CompletionQueue {
    pub(super) fn new() -> Self {
        Self {
            ended: Mutex::new(VecDeque::new()),
            waiter: WaitQueue::new(),
        }
    }

    pub(super) fn push(&self, index: usize) {
        self.ended.lock().push_back(index);
        self.waiter.notify(1);
    }

    pub(super) fn try_next(&self) -> Option<usize> {
        self.ended.lock().pop_front()
    }

    /// Waits for the next index; `None`: no job has ended before the deadline.
    pub(super) fn next(&self, deadline: Option<Instant>) -> Option<usize> {
        let mut backoff = Backoff::new();
        loop {
            let index = self.try_next();
            if index.is_some() {
                return index;
            }
            if !backoff.snooze() {
                return self.waiter.wait(deadline, || self.try_next());
            }
        }
    }
}
