//! Which workers have nothing to do: a few search, the rest sleep.
//!
//! A submitter wakes a sleeper only if nobody searches. That loses nothing, because a searcher that finds
//! work and leaves nobody searching behind wakes another if there is more, and one that goes to sleep
//! looks again after it is on the list. On both sides a SeqCst fence lies between "I changed this" and
//! "I look at that", so at least one of the two notices the other.

use crate::park::sys::atomic::{AtomicUsize, Ordering, fence};
use crate::park::{WaitQueue, Waiter};
use std::sync::Arc;
use std::time::Instant;

pub(super) struct Idle {
    searchers: AtomicUsize,
    max_searchers: usize,
    sleepers: WaitQueue,
}

impl Idle {
    /// More than half of the workers searching would only take time from those that work.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            searchers: AtomicUsize::new(0),
            max_searchers: (workers / 2).max(1),
            sleepers: WaitQueue::new(),
        }
    }

    /// Sees to it that someone looks for the work that was just made available. False: nobody is idle.
    #[inline]
    pub(super) fn work_arrived(&self) -> bool {
        let sleepers = self.sleepers.has_waiters();
        let searched = self.searchers.load(Ordering::Relaxed) != 0;
        searched || (sleepers && self.wake_one())
    }

    /// Wakes a sleeper as a searcher. False: nobody slept.
    #[cold]
    fn wake_one(&self) -> bool {
        let Some(waiter) = self.sleepers.pop() else {
            return false;
        };
        self.searchers.fetch_add(1, Ordering::SeqCst);
        waiter.notify();
        true
    }

    /// Wakes everyone.
    pub(super) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        while self.wake_one() {}
    }

    /// Counts a worker that is about to start.
    pub(super) fn add_searcher(&self) {
        self.searchers.fetch_add(1, Ordering::SeqCst);
    }

    /// Becomes a searcher, if there are not too many.
    pub(super) fn try_search(&self) -> bool {
        let room = self.searchers.load(Ordering::Relaxed) < self.max_searchers;
        if room {
            self.searchers.fetch_add(1, Ordering::SeqCst);
        }
        room
    }

    /// Stops searching because work was found, or because there will be none. False: there is more work,
    /// and nobody is idle.
    pub(super) fn found(&self, more: impl FnOnce() -> bool) -> bool {
        let last = self.searchers.fetch_sub(1, Ordering::SeqCst) == 1;
        fence(Ordering::SeqCst);
        !(last && more()) || self.work_arrived()
    }

    /// Sleeps until woken, unless there is work. True: the caller is a searcher now. False: the deadline has
    /// passed, and it is none.
    pub(super) fn sleep(
        &self,
        searching: bool,
        work: impl FnOnce() -> bool,
        deadline: Option<Instant>,
    ) -> bool {
        let waiter = Waiter::new();
        self.sleepers.register(Arc::clone(&waiter));
        if searching {
            self.searchers.fetch_sub(1, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
        if work() && self.sleepers.unregister(&waiter) {
            // Nobody has woken this worker, so nobody has counted it.
            self.searchers.fetch_add(1, Ordering::SeqCst);
            return true;
        }
        waiter.wait(deadline) || !self.sleepers.unregister(&waiter)
    }
}
