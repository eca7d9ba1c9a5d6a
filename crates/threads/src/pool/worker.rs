//! What a pool's workers share, and what each of them does.

use super::idle::Idle;
use super::task::{Runnable, contain};
use crate::backoff::Backoff;
use crate::error::JobError;
use crate::signal::WaitQueue;
use crossbeam_deque::{Injector, Steal};
use crossbeam_utils::CachePadded;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::time::Instant;

thread_local! {
    /// The pool that the calling thread works for; 0 is none.
    static POOL: Cell<usize> = const { Cell::new(0) };
}

static NEXT_POOL: AtomicUsize = AtomicUsize::new(1);

/// The number of the pool that the calling thread works for.
pub(crate) fn current_pool() -> Option<usize> {
    let id = POOL.try_with(Cell::get).unwrap_or(0);
    (id != 0).then_some(id)
}

/// What the workers of a pool and its handles share.
pub(super) struct Core {
    id: usize,
    queue: Injector<Arc<dyn Runnable>>,
    idle: CachePadded<Idle>,
    closed: AtomicBool,
    /// Workers that may still run tasks. When the last goes, what is queued is refused.
    alive: AtomicUsize,
    ended: WaitQueue,
}

impl Core {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            id: NEXT_POOL.fetch_add(1, Ordering::Relaxed),
            queue: Injector::new(),
            idle: CachePadded::new(Idle::new(workers)),
            closed: AtomicBool::new(false),
            alive: AtomicUsize::new(workers),
            ended: WaitQueue::new(),
        }
    }

    pub(super) fn id(&self) -> usize {
        self.id
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Queues a task, or refuses it if the pool is closed.
    #[inline]
    pub(super) fn submit(&self, task: Arc<dyn Runnable>) {
        if self.is_closed() {
            task.refuse(JobError::Closed);
            return;
        }
        self.queue.push(task);
        // Begins with a SeqCst fence, which also orders the push before the look at `alive`.
        self.idle.work_arrived();
        if self.alive.load(Ordering::Relaxed) == 0 {
            // The pool ended between the two looks: the last worker or this thread sees the task.
            self.refuse_queued(|| JobError::Closed);
        }
    }

    /// Takes no more tasks; the workers end when the queue is empty.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.idle.wake_all();
    }

    /// Ends every queued task with an error.
    pub(super) fn refuse_queued(&self, error: impl Fn() -> JobError) {
        while let Some(task) = self.steal() {
            task.refuse(error());
        }
    }

    /// Waits until no worker runs tasks. False: some still did at the deadline.
    pub(super) fn wait_ended(&self, deadline: Option<Instant>) -> bool {
        let poll = || (self.alive.load(Ordering::Acquire) == 0).then_some(());
        poll().or_else(|| self.ended.wait(deadline, poll)).is_some()
    }

    /// The life of a worker.
    pub(super) fn work(&self) {
        POOL.set(self.id);
        while let Some(task) = self.next() {
            task.run();
            // The last owner drops the result of a job whose handle is gone: foreign code.
            contain(|| drop(task));
        }
        self.leave();
    }

    /// Counts a worker out: one that ended, or one that never started.
    pub(super) fn leave(&self) {
        if self.alive.fetch_sub(1, Ordering::SeqCst) == 1 {
            fence(Ordering::SeqCst);
            self.refuse_queued(|| JobError::Closed);
            self.ended.notify(usize::MAX);
        }
    }

    fn steal(&self) -> Option<Arc<dyn Runnable>> {
        loop {
            match self.queue.steal() {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// The next task, or none when the pool is closed and everything queued was taken.
    fn next(&self) -> Option<Arc<dyn Runnable>> {
        if let Some(task) = self.steal() {
            return Some(task);
        }
        let mut searching = self.idle.try_search();
        loop {
            let found = if searching {
                self.search()
            } else {
                self.steal()
            };
            if found.is_some() || self.is_closed() {
                if searching {
                    self.idle.found(|| !self.queue.is_empty());
                }
                return found.or_else(|| self.steal());
            }
            self.idle
                .sleep(searching, || !self.queue.is_empty() || self.is_closed());
            searching = true;
        }
    }

    fn search(&self) -> Option<Arc<dyn Runnable>> {
        let mut backoff = Backoff::new();
        loop {
            let found = self.steal();
            if found.is_some() || self.is_closed() || !backoff.snooze() {
                return found;
            }
        }
    }
}
