//! The bound of a pool's queue.

use crate::park::WaitQueue;
use crate::park::sys::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

/// Counts the jobs that wait in the queue of a pool with a bound.
pub(crate) struct Room {
    bound: usize,
    queued: AtomicUsize,
    submitters: WaitQueue,
}

/// The place of one job in the queue. Dropping it makes the place free, whatever way the job leaves the queue.
pub(crate) struct Permit(Arc<Room>);

impl Room {
    pub(super) fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            bound,
            queued: AtomicUsize::new(0),
            submitters: WaitQueue::new(),
        })
    }

    /// Takes a place, also beyond the bound.
    pub(super) fn take(self: &Arc<Self>) -> Permit {
        self.queued.fetch_add(1, Ordering::Relaxed);
        Permit(Arc::clone(self))
    }

    fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let one_more = |queued: usize| (queued < self.bound).then_some(queued + 1);
        // Acquire pairs with the Release of a permit's drop.
        self.queued
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more)
            .ok()
            .map(|_| Permit(Arc::clone(self)))
    }

    /// Takes a place before the deadline, or `None` of one when `closed` says that the pool takes no more jobs.
    pub(super) fn take_by(
        self: &Arc<Self>,
        deadline: impl FnOnce() -> Option<Instant>,
        closed: impl Fn() -> bool,
    ) -> Result<Option<Permit>, Full> {
        let poll = || match self.try_take() {
            Some(permit) => Some(Some(permit)),
            None => closed().then_some(None),
        };
        poll()
            .or_else(|| self.submitters.wait(deadline(), poll))
            .ok_or(Full)
    }

    /// Wakes all waiting submitters.
    pub(super) fn wake_all(&self) {
        self.submitters.notify(usize::MAX);
    }
}

/// The queue stayed full until the deadline.
pub(super) struct Full;

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Release);
        self.0.submitters.notify(1);
    }
}
