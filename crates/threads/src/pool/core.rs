//! What a pool's workers share, and what each of them does.

use super::idle::{Idle, Searching};
use super::room::{Full, Permit, Room};
use super::spawn::{Worker, start_worker};
use super::task::Runnable;
use crate::error::{JobError, SpawnError};
use crate::park::Backoff;
use crate::park::sys;
use crate::park::sys::Mutex;
use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::park::{WaitQueue, deadline};
use crate::queue::Fifo;
use crate::unwind::catch_and_forget;
use crossbeam_utils::CachePadded;
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
    pub(super) queue_bound: Option<usize>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) stack_size: Option<usize>,
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
    /// Workers whose last hook has not returned, those that are being started included.
    present: AtomicUsize,
    ended: WaitQueue,
    room: Option<Arc<Room>>,
    threads: Mutex<Vec<Worker>>,
    /// Held by the one thread that joins `threads`, one after the other and outside their lock: a destructor in
    /// the thread that is joined may ask for the list.
    joining: Mutex<()>,
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
            present: AtomicUsize::new(0),
            ended: WaitQueue::new(),
            room: settings.queue_bound.map(Room::new),
            threads: Mutex::new(Vec::with_capacity(settings.workers)),
            joining: Mutex::new(()),
            next_worker: AtomicUsize::new(0),
            settings,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn id(&self) -> usize {
        self.id
    }

    pub(super) fn is_own_worker(&self) -> bool {
        current_pool() == Some(self.id)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Applies `f` to the threads that have not ended.
    pub(super) fn map_threads<R>(&self, f: impl Fn(&Worker) -> R) -> Vec<R> {
        let threads = self.threads.lock();
        threads.iter().filter(|t| t.is_alive()).map(f).collect()
    }

    /// Starts a worker, unless there are enough or the pool is closed.
    ///
    /// The thread is in the list when the lock is released, so `wait_ended` joins every thread.
    pub(super) fn start_worker(self: &Arc<Self>) -> Result<(), SpawnError> {
        let mut threads = self.threads.lock();
        // SeqCst, as in `close`: either this sees the pool closed, or `wait_ended` sees the worker.
        self.present.fetch_add(1, Ordering::SeqCst);
        let presence = Presence(Arc::clone(self));
        let max = self.settings.workers;
        let one_more = |alive: usize| (alive < max).then_some(alive + 1);
        if self.closed.load(Ordering::SeqCst)
            || self
                .alive
                .fetch_update(Ordering::SeqCst, Ordering::Relaxed, one_more)
                .is_err()
        {
            return Ok(());
        }
        let index = self.next_worker.fetch_add(1, Ordering::Relaxed) % max;
        let name = format!("{}-{index}", self.settings.name);
        let search = self.idle.start_search();
        let life = move || presence.work(search);
        match start_worker(name, self.settings.stack_size, life) {
            Ok(thread) => {
                threads.retain(Worker::is_alive);
                threads.push(thread);
                Ok(())
            }
            Err(error) => {
                drop(threads);
                let search = self.idle.search_of_refused_worker();
                let _ = self.idle.found(search, || !self.queue.is_empty());
                self.leave();
                Err(error)
            }
        }
    }

    /// Waits until every thread of a closed pool has ended. False: some have not before the deadline.
    pub(super) fn wait_ended(&self, deadline: Option<Instant>) -> bool {
        let poll = || (self.present.load(Ordering::SeqCst) == 0).then_some(());
        if poll().or_else(|| self.ended.wait(deadline, poll)).is_none() {
            return false;
        }
        // All hooks have returned: what is left are the destructors of thread-local values.
        let joining = match deadline {
            None => Some(self.joining.lock()),
            Some(at) => self.joining.try_lock_until(at),
        };
        if joining.is_none() {
            return false;
        }
        while let Some(mut thread) = self.pop_thread() {
            if !thread.join(deadline) {
                self.threads.lock().push(thread);
                return false;
            }
        }
        true
    }

    fn pop_thread(&self) -> Option<Worker> {
        self.threads.lock().pop()
    }

    /// Takes a place in the queue for one more task; none is needed without a bound, or if the pool is closed.
    ///
    /// A worker never waits for room in its own pool: it might be the one to make it.
    #[inline]
    pub(super) fn reserve(
        &self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<Option<Permit>, Full> {
        match &self.room {
            None => Ok(None),
            Some(room) if self.is_own_worker() => Ok(Some(room.take())),
            Some(room) => room.take_by(deadline, || self.is_closed()),
        }
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

    /// Replaces a worker that ended after its idle time, if there is one.
    #[inline]
    fn grow(self: &Arc<Self>) {
        // Acquire: a thread that sees a worker gone because the pool was closed sees it closed.
        if self.alive.load(Ordering::Acquire) < self.settings.workers && !self.is_closed() {
            // If the system refuses, one of the others takes the task.
            let _ = self.start_worker();
        }
    }

    /// Takes no more tasks; the workers end when the queue is empty.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.idle.wake_all();
        if let Some(room) = &self.room {
            room.wake_all();
        }
    }

    /// Ends every queued task with an error.
    pub(super) fn refuse_queued(&self, error: impl Fn() -> JobError) {
        while let Some(task) = self.try_pop() {
            task.refuse(error());
        }
    }

    fn run_hook(hook: Option<&Hook>) {
        if let Some(hook) = hook {
            catch_and_forget(|| hook());
        }
    }

    /// The life of a worker.
    fn work(self: &Arc<Self>, search: Searching) {
        POOL.with(|pool| pool.set(self.id));
        Self::run_hook(self.settings.on_start.as_ref());
        let mut search = Some(search);
        while let Some(task) = self.next(search.take()) {
            // A thread that waits for the result may submit the next task as soon as it sees it. If this
            // worker counts as a searcher by then, no other is woken for that.
            task.run_then(&mut || {
                if self.queue.is_empty() {
                    search = self.idle.try_search();
                }
            });
        }
        Self::run_hook(self.settings.on_stop.as_ref());
    }

    /// Counts a worker out that will take no more tasks.
    fn leave(&self) {
        if self.alive.fetch_sub(1, Ordering::SeqCst) == 1 {
            fence(Ordering::SeqCst);
            self.refuse_queued(|| JobError::Closed);
        }
    }

    fn try_pop(&self) -> Option<Arc<dyn Runnable>> {
        // Searchers look again and again: they keep off the lock that others take tasks under.
        if self.queue.is_empty() {
            return None;
        }
        self.queue.try_get().ok()
    }

    /// The next task, or none if the worker shall end: it is counted out then. A new worker searches from its
    /// start, so that it wakes or starts another one if there is work for two.
    fn next(self: &Arc<Self>, mut search: Option<Searching>) -> Option<Arc<dyn Runnable>> {
        if search.is_none() {
            if let Some(task) = self.try_pop() {
                return Some(task);
            }
            search = self.idle.try_search();
        }
        loop {
            let found = match search {
                Some(_) => self.search(),
                None => self.try_pop(),
            };
            if found.is_some() || self.is_closed() {
                return self.end_idling(search, found);
            }
            let work = || !self.queue.is_empty() || self.is_closed();
            search = self.idle.sleep(search, work, self.leaving_time());
            if search.is_none() && self.retire() {
                return None;
            }
        }
    }

    /// Ends the search of a worker that has found a task, or whose pool is closed.
    fn end_idling(
        self: &Arc<Self>,
        search: Option<Searching>,
        found: Option<Arc<dyn Runnable>>,
    ) -> Option<Arc<dyn Runnable>> {
        if let Some(search) = search
            && !self.idle.found(search, || !self.queue.is_empty())
        {
            self.grow();
        }
        let found = found.or_else(|| self.try_pop());
        if found.is_none() {
            self.leave();
        }
        found
    }

    /// The time at which an idle worker ends. The last one stays: it need not even look.
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
            let found = self.try_pop();
            if found.is_some() || self.is_closed() || !backoff.snooze() {
                return found;
            }
        }
    }
}

/// Counts a worker as present until it is dropped: in the worker's thread, or by a start that fails.
struct Presence(Arc<Core>);

impl Presence {
    fn work(self, search: Searching) {
        self.0.work(search);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.0.present.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.ended.notify(usize::MAX);
        }
    }
}
