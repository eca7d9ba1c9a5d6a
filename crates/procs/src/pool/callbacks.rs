//! Callbacks of a pool's jobs: run on a thread of their own, outside every lock, so that they may wait for anything.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Code of the user that is called once.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// The time after which an idle callback thread ends.
const IDLE_LIMIT: Duration = Duration::from_millis(200);

/// The callbacks of one pool, in the order of their causes.
#[derive(Default)]
pub(in crate::pool) struct Callbacks {
    queue: Mutex<Queue>,
    /// Something was queued, or all was called.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Callback>,
    /// The thread that calls them, while there is one.
    thread: Option<ThreadId>,
    /// Whether one is being called.
    calling: bool,
}

thread_local! {
    /// Set while this thread holds the lock of a pool: where callbacks go, and the wakers to wake afterwards.
    static DEFERRED: RefCell<Option<Deferred>> = const { RefCell::new(None) };
}

struct Deferred {
    callbacks: Arc<Callbacks>,
    /// `None`: the lock is held too long; the callback thread wakes them.
    wakers: Option<Vec<Waker>>,
}

/// Runs a callback: at once, or on the pool's callback thread if this thread holds the pool's lock.
pub(in crate::pool) fn run(callback: Callback) {
    let later = DEFERRED.with_borrow(|deferred| Some(Arc::clone(&deferred.as_ref()?.callbacks)));
    match later {
        Some(callbacks) => callbacks.push(callback),
        None => contain(callback),
    }
}

/// Wakes a task: at once, or when this thread has released the pool's lock.
pub(in crate::pool) fn wake(waker: Waker) {
    let now = DEFERRED.with_borrow_mut(|deferred| {
        match deferred
            .as_mut()
            .and_then(|deferred| deferred.wakers.as_mut())
        {
            Some(wakers) => {
                wakers.push(waker);
                None
            }
            None => Some(waker),
        }
    });
    if let Some(waker) = now {
        run(Box::new(|| waker.wake()));
    }
}

/// A callback that panics harms neither the pool nor the other callbacks.
fn contain(callback: impl FnOnce()) {
    let _ = panic::catch_unwind(AssertUnwindSafe(callback));
}

/// Puts off callbacks and wake-ups of this thread until it is dropped. Made before the pool's lock is taken.
pub(in crate::pool) struct Deferral {
    before: Option<Deferred>,
}

impl Deferral {
    /// `short`: the lock is held for a moment only.
    pub(in crate::pool) fn begin(callbacks: &Arc<Callbacks>, short: bool) -> Self {
        let deferred = Deferred {
            callbacks: Arc::clone(callbacks),
            wakers: short.then(Vec::new),
        };
        Self {
            before: DEFERRED.replace(Some(deferred)),
        }
    }
}

impl Drop for Deferral {
    fn drop(&mut self) {
        let ended = DEFERRED.replace(self.before.take());
        for waker in ended
            .and_then(|deferred| deferred.wakers)
            .into_iter()
            .flatten()
        {
            wake(waker);
        }
    }
}

impl Callbacks {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a callback called. The thread for it is started if there is none.
    pub(in crate::pool) fn push(self: &Arc<Self>, callback: Callback) {
        let mut queue = self.lock();
        queue.waiting.push_back(callback);
        if queue.thread.is_some() {
            drop(queue);
            self.changed.notify_all();
            return;
        }
        let ours = Arc::clone(self);
        let thread = thread::Builder::new()
            .name("procs-callbacks".to_owned())
            .spawn(move || ours.call_all());
        match thread {
            Ok(thread) => queue.thread = Some(thread.thread().id()),
            // Without a thread they are called here: late is better than never.
            Err(_) => {
                let waiting = std::mem::take(&mut queue.waiting);
                drop(queue);
                waiting.into_iter().for_each(contain);
            }
        }
    }

    fn call_all(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(callback) = queue.waiting.pop_front() {
                queue.calling = true;
                drop(queue);
                contain(callback);
                queue = self.lock();
                queue.calling = false;
                continue;
            }
            self.changed.notify_all();
            let (next, timeout) = self
                .changed
                .wait_timeout(queue, IDLE_LIMIT)
                .unwrap_or_else(PoisonError::into_inner);
            queue = next;
            if timeout.timed_out() && queue.waiting.is_empty() {
                queue.thread = None;
                return;
            }
        }
    }

    /// Waits until every callback has returned, at most until the deadline. Returns at once in a callback. False: some
    /// have not returned.
    pub(in crate::pool) fn await_all(&self, deadline: Option<Instant>) -> bool {
        let mut queue = self.lock();
        while queue.calling || !queue.waiting.is_empty() {
            if queue.thread == Some(thread::current().id()) {
                return true;
            }
            let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            queue = self
                .changed
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}
