//! Which workers have nothing to do: a few search, the rest sleep.
//!
//! A submitter wakes a sleeper only if no worker searches. That loses nothing, because a searcher that finds
//! work and leaves no other searcher behind wakes another worker if there is more, and one that goes to sleep
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

/// Evidence that a worker is counted as a searcher. It is used up by whatever ends the search.
#[must_use = "a searcher that is not counted out keeps sleepers asleep"]
pub(super) struct Searching(());

impl Idle {
    /// More than half of the workers searching would only take time from those that work.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            searchers: AtomicUsize::new(0),
            max_searchers: (workers / 2).max(1),
            sleepers: WaitQueue::new(),
        }
    }

    /// Ensures that a worker looks for the work that was just made available. False: all are busy.
    #[inline]
    pub(super) fn work_arrived(&self) -> bool {
        let sleepers = self.sleepers.has_waiters();
        let searched = self.searchers.load(Ordering::Relaxed) != 0;
        searched || (sleepers && self.wake_one())
    }

    /// Wakes a sleeper as a searcher. False: there was none.
    #[cold]
    fn wake_one(&self) -> bool {
        let Some(waiter) = self.sleepers.pop() else {
            return false;
        };
        self.searchers.fetch_add(1, Ordering::SeqCst);
        waiter.notify();
        true
    }

    /// Wakes all sleepers.
    pub(super) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        while self.wake_one() {}
    }

    /// Counts a worker that is about to start.
    pub(super) fn start_search(&self) -> Searching {
        self.searchers.fetch_add(1, Ordering::SeqCst);
        Searching(())
    }

    /// The evidence of a worker that was counted, but could not be started.
    pub(super) fn search_of_refused_worker(&self) -> Searching {
        Searching(())
    }

    /// Counts the calling worker, unless there are enough searchers.
    pub(super) fn try_search(&self) -> Option<Searching> {
        let room = self.searchers.load(Ordering::Relaxed) < self.max_searchers;
        room.then(|| self.start_search())
    }

    /// Ends a search because work was found, or because there will be none. False: there is more work, and
    /// no other worker is idle.
    pub(super) fn found(&self, _: Searching, more: impl FnOnce() -> bool) -> bool {
        let last = self.searchers.fetch_sub(1, Ordering::SeqCst) == 1;
        fence(Ordering::SeqCst);
        !(last && more()) || self.work_arrived()
    }

    /// Sleeps until woken as a searcher, unless there is work. `None`: the deadline has passed.
    pub(super) fn sleep(
        &self,
        search: Option<Searching>,
        work: impl FnOnce() -> bool,
        deadline: Option<Instant>,
    ) -> Option<Searching> {
        let waiter = Waiter::new();
        self.sleepers.register(Arc::clone(&waiter));
        if let Some(Searching(())) = search {
            self.searchers.fetch_sub(1, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
        if work() && self.sleepers.unregister(&waiter) {
            // No other thread has woken this worker, so none has counted it.
            return Some(self.start_search());
        }
        let woken = waiter.wait(deadline) || !self.sleepers.unregister(&waiter);
        // The thread that took the waiter off the list has counted this worker.
        woken.then_some(Searching(()))
    }
}
