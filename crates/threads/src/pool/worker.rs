//! What a pool's workers share, and what each of them does.

use super::idle::Idle;
use super::spawn::{Worker, start_worker};
use super::task::Runnable;
use crate::error::{JobError, SpawnError};
use crate::park::Backoff;
use crate::park::sys;
use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::park::{WaitQueue, deadline};
use crate::queue::Fifo;
use crate::unwind::catch_and_forget;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic;
use std::time::{Duration, Instant};

sys::per_thread! {
    /// The pool that the calling thread works for; 0 is none.
    static POOL: Cell<usize> = const { Cell::new(0) };
}

static NEXT_POOL: atomic::AtomicUsize = atomic::AtomicUsize::new(1);

/// The number of the pool that the calling thread works for.
pub(crate) fn current_pool() -> Option<usize> {
    let id = POOL.try_with(Cell::get).unwrap_or(0);
    (id != 0).then_some(id)
}

/// A function that each worker runs at its start or its end.
pub(super) type Hook = Arc<dyn Fn() + Send + Sync>;

/// What a pool is made with.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) workers: usize,
    pub(super) queue_bound: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) on_start: Option<Hook>,
    pub(super) on_stop: Option<Hook>,
}

/// What the workers of a pool and its handles share.
pub(super) struct Core {
    id: usize,
    settings: Settings,
    queue: Fifo<Arc<dyn Runnable>>,
    idle: CachePadded<Idle>,
    closed: AtomicBool,
    /// Workers that may still run tasks. When the last goes, what is queued is refused.
    alive: AtomicUsize,
    ended: WaitQueue,
    /// Tasks in the queue, counted only if there is a bound.
    queued: AtomicUsize,
    submitters: WaitQueue,
    threads: Mutex<Vec<Worker>>,
    next_worker: AtomicUsize,
}

impl Core {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            id: NEXT_POOL.fetch_add(1, Ordering::Relaxed),
            queue: Fifo::new(usize::MAX),
            idle: CachePadded::new(Idle::new(settings.workers)),
            closed: AtomicBool::new(false),
            alive: AtomicUsize::new(0),
            ended: WaitQueue::new(),
            queued: AtomicUsize::new(0),
            submitters: WaitQueue::new(),
            threads: Mutex::new(Vec::with_capacity(settings.workers)),
            next_worker: AtomicUsize::new(0),
            settings,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts a worker, unless there are enough.
    pub(super) fn start_worker(self: &Arc<Self>) -> Result<(), SpawnError> {
        let max = self.settings.workers;
        let one_more = |alive: usize| (alive < max).then_some(alive + 1);
        let counted = self
            .alive
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, one_more);
        if counted.is_err() {
            return Ok(());
        }
        let index = self.next_worker.fetch_add(1, Ordering::Relaxed) % max;
        let name = format!("{}-{index}", self.settings.name);
        let core = self.clone();
        self.idle.add_searcher();
        match start_worker(name, move || core.work()) {
            Ok(thread) => {
                let mut threads = self.threads.lock();
                threads.retain(Worker::is_alive);
                threads.push(thread);
                Ok(())
            }
            Err(error) => {
                let _ = self.idle.found(|| !self.queue.is_empty());
                self.leave();
                Err(error)
            }
        }
    }

    /// Waits until the system, too, is done with the workers, which have ended.
    pub(super) fn reap(&self) {
        let threads = std::mem::take(&mut *self.threads.lock());
        for mut thread in threads {
            // A worker catches every panic of a job, so its end is all there is to learn.
            let _ = thread.join();
        }
    }

    pub(super) fn id(&self) -> usize {
        self.id
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Makes room for one more task in the queue. False: there was none until the deadline.
    ///
    /// A worker never waits for room in its own pool: it might be the one to make it.
    #[inline]
    pub(super) fn reserve(&self, deadline: impl FnOnce() -> Option<Instant>) -> bool {
        let bound = self.settings.queue_bound;
        if bound == usize::MAX {
            return true;
        }
        if current_pool() == Some(self.id) {
            self.queued.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let one_more = |queued: usize| (queued < bound).then_some(queued + 1);
        let poll = || {
            let counted = self
                .queued
                .fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more);
            // A closed pool refuses the task, which takes no room.
            (counted.is_ok() || self.is_closed()).then_some(())
        };
        poll()
            .or_else(|| self.submitters.wait(deadline(), poll))
            .is_some()
    }

    /// Queues a task, or refuses it if the pool is closed.
    #[inline]
    pub(super) fn submit(self: &Arc<Self>, task: Arc<dyn Runnable>) {
        if self.is_closed() {
            task.refuse(JobError::Closed);
            return;
        }
        // Never refused: the queue has no bound and is never closed.
        let _ = self.queue.try_put(task);
        // Begins with a SeqCst fence, which also orders the push before the look at `alive`.
        let served = self.idle.work_arrived();
        if self.alive.load(Ordering::Relaxed) == 0 {
            // The pool ended between the two looks: the last worker or this thread sees the task.
            self.refuse_queued(|| JobError::Closed);
        } else if !served {
            self.grow();
        }
    }

    /// Starts a worker again that ended for want of work, if there is one.
    #[inline]
    fn grow(self: &Arc<Self>) {
        // Acquire: who sees a worker gone because the pool was closed sees it closed.
        if self.alive.load(Ordering::Acquire) < self.settings.workers && !self.is_closed() {
            // If the system refuses, one of the others takes the task.
            let _ = self.start_worker();
        }
    }

    /// Takes no more tasks; the workers end when the queue is empty.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.idle.wake_all();
        self.submitters.notify(usize::MAX);
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
    pub(super) fn work(self: &Arc<Self>) {
        POOL.with(|pool| pool.set(self.id));
        if let Some(hook) = &self.settings.on_start {
            catch_and_forget(|| hook());
        }
        let mut searching = true;
        while let Some(task) = self.next(searching) {
            // Whoever waits for the result may submit the next task as soon as it sees it. If this worker
            // counts as a searcher by then, no other is woken for that.
            searching = false;
            task.run_then(&mut || searching = self.queue.is_empty() && self.idle.try_search());
            // The last owner drops the result of a job whose handle is gone: foreign code.
            catch_and_forget(|| drop(task));
        }
        if let Some(hook) = &self.settings.on_stop {
            catch_and_forget(|| hook());
        }
    }

    /// Counts a worker out that will take no more tasks.
    fn leave(&self) {
        if self.alive.fetch_sub(1, Ordering::SeqCst) == 1 {
            fence(Ordering::SeqCst);
            self.refuse_queued(|| JobError::Closed);
            self.ended.notify(usize::MAX);
        }
    }

    fn steal(&self) -> Option<Arc<dyn Runnable>> {
        // Searchers look again and again: they keep off the lock that others take tasks under.
        if self.queue.is_empty() {
            return None;
        }
        let task = self.queue.try_get().ok()?;
        if self.settings.queue_bound != usize::MAX {
            self.queued.fetch_sub(1, Ordering::Release);
            self.submitters.notify(1);
        }
        Some(task)
    }

    /// The next task, or none if the worker shall end: it is counted out then. A new worker is a searcher
    /// from its start, so that it wakes or starts another one if there is work for two.
    fn next(self: &Arc<Self>, mut searching: bool) -> Option<Arc<dyn Runnable>> {
        if !searching {
            if let Some(task) = self.steal() {
                return Some(task);
            }
            searching = self.idle.try_search();
        }
        loop {
            let found = if searching {
                self.search()
            } else {
                self.steal()
            };
            if found.is_some() || self.is_closed() {
                if searching && !self.idle.found(|| !self.queue.is_empty()) {
                    self.grow();
                }
                let found = found.or_else(|| self.steal());
                if found.is_none() {
                    self.leave();
                }
                return found;
            }
            let work = || !self.queue.is_empty() || self.is_closed();
            searching = self.idle.sleep(searching, work, self.leaving_time());
            if !searching && self.retire() {
                return None;
            }
        }
    }

    /// Until when an idle worker stays. The last one stays for ever: it need not even look.
    fn leaving_time(&self) -> Option<Instant> {
        let timeout = self.settings.idle_timeout?;
        match self.alive.load(Ordering::Relaxed) {
            1 => None,
            _ => deadline(timeout),
        }
    }

    /// Counts an idle worker out, unless it is the last or there is work after all.
    fn retire(&self) -> bool {
        let one_less = |alive: usize| (alive > 1).then(|| alive - 1);
        let counted = self
            .alive
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, one_less);
        // Pairs with the fence in `submit`: a task that this does not see was queued by a thread that
        // sees the lower count.
        fence(Ordering::SeqCst);
        if counted.is_err() {
            return false;
        }
        if self.queue.is_empty() && !self.is_closed() {
            return true;
        }
        let back = |alive: usize| (0 < alive && alive < self.settings.workers).then(|| alive + 1);
        let back = self
            .alive
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, back);
        back.is_err()
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
