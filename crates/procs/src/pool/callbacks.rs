//! Callbacks of a pool's jobs: run on threads of their own, outside every lock, so that they may wait for anything.
//!
//! They are called one after the other, in the order of their causes. One that has not returned after [`STALL`] may wait
//! for a later one: from then on another thread calls those behind it.
//!
//! | thread | event | then it |
//! |---|---|---|
//! | sleeps | a callback waits, none is being called | calls it |
//! | sleeps | a callback waits, the last one was begun [`STALL`] ago | calls it |
//! | sleeps | nothing waits for [`IDLE_LIMIT`] | ends |
//! | calls | the callback returns | calls the next, or sleeps |
//!
//! While a callback waits, a thread sleeps that can call it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// Code of the user that is called once.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// The time after which an idle callback thread ends.
const IDLE_LIMIT: Duration = Duration::from_millis(200);

/// The time after which a callback that has not returned no longer holds up the others.
const STALL: Duration = Duration::from_millis(10);

/// The callbacks of one pool, in the order of their causes.
#[derive(Default)]
pub(in crate::pool) struct Callbacks {
    queue: Mutex<Queue>,
    /// A callback was queued.
    changed: Condvar,
    all_returned: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Callback>,
    /// How many threads sleep.
    sleeping: usize,
    /// How many callbacks are being called.
    calling: usize,
    /// The callback that was begun last, while it is being called: its number, and when it was begun.
    last: Option<(u64, Instant)>,
    /// How many callbacks were begun.
    begun: u64,
}

/// Pools of which a callback waits for all callbacks of another pool, by their addresses.
static JOINS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

thread_local! {
    /// Set while this thread holds the lock of a pool: where callbacks go, and the wakers to wake afterwards.
    static DEFERRED: RefCell<Option<Deferred>> = const { RefCell::new(None) };
    /// The address of the pool of which this thread calls callbacks; zero: of none.
    static CALLS_FOR: Cell<usize> = const { Cell::new(0) };
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

    /// Identifies the pool while it lives.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Has a callback called. A thread for it is started if none sleeps.
    pub(in crate::pool) fn push(self: &Arc<Self>, callback: Callback) {
        let mut queue = self.lock();
        queue.waiting.push_back(callback);
        if queue.sleeping > 0 {
            // Behind another one, the thread has set its time limit already.
            let is_first = queue.waiting.len() == 1;
            drop(queue);
            if is_first {
                self.changed.notify_one();
            }
            return;
        }
        // A thread that calls one calls the others afterwards. Without any they are called here: late is better than never.
        if !self.start_thread(&mut queue) && queue.calling == 0 {
            let waiting = std::mem::take(&mut queue.waiting);
            drop(queue);
            waiting.into_iter().for_each(contain);
        }
    }

    /// Starts a thread, which sleeps first. False: the system has none.
    fn start_thread(self: &Arc<Self>, queue: &mut Queue) -> bool {
        let ours = Arc::clone(self);
        let thread = thread::Builder::new()
            .name("procs-callbacks".to_owned())
            .spawn(move || ours.call_all());
        queue.sleeping += usize::from(thread.is_ok());
        thread.is_ok()
    }

    fn call_all(self: &Arc<Self>) {
        CALLS_FOR.set(self.address());
        let mut queue = self.lock();
        queue.sleeping -= 1;
        loop {
            match queue.next() {
                Ok((number, callback)) => {
                    if !queue.waiting.is_empty() && queue.sleeping == 0 {
                        self.start_thread(&mut queue);
                    }
                    drop(queue);
                    contain(callback);
                    queue = self.lock();
                    if queue.returned(number) {
                        self.all_returned.notify_all();
                    }
                }
                Err(limit) => {
                    queue.sleeping += 1;
                    let (next, timeout) = self
                        .changed
                        .wait_timeout(queue, limit)
                        .unwrap_or_else(PoisonError::into_inner);
                    queue = next;
                    queue.sleeping -= 1;
                    if timeout.timed_out() && queue.waiting.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until every callback has returned, at most until the deadline. False: some have not returned.
    ///
    /// A callback does not wait for callbacks of its own pool, nor for those of a pool that waits for its own: it returns
    /// at once, because such a wait would have no end.
    pub(in crate::pool) fn await_all(&self, deadline: Option<Instant>) -> bool {
        let (from, to) = (CALLS_FOR.get(), self.address());
        if from == to {
            return true;
        }
        let _join = match Join::begin(from, to) {
            Ok(join) => join,
            Err(Endless) => return true,
        };
        let mut queue = self.lock();
        while !queue.is_done() {
            // Without a deadline an hour at a time is as good.
            let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return false;
            }
            queue = self
                .all_returned
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }
}

impl Queue {
    /// Takes the next callback, and its number. The error is the time after which there may be one, if nothing happens
    /// before.
    fn next(&mut self) -> Result<(u64, Callback), Duration> {
        if self.waiting.is_empty() {
            return Err(IDLE_LIMIT);
        }
        if let Some((_, since)) = self.last {
            let left = (since + STALL).saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(left);
            }
        }
        let callback = self.waiting.pop_front().ok_or(IDLE_LIMIT)?;
        self.begun += 1;
        self.calling += 1;
        self.last = Some((self.begun, Instant::now()));
        Ok((self.begun, callback))
    }

    /// Returns whether that was the last one.
    fn returned(&mut self, number: u64) -> bool {
        self.calling -= 1;
        if self.last.is_some_and(|(last, _)| last == number) {
            self.last = None;
        }
        self.is_done()
    }

    fn is_done(&self) -> bool {
        self.calling == 0 && self.waiting.is_empty()
    }
}

/// The wait would end only after itself.
struct Endless;

/// A wait of a callback of one pool for all callbacks of another.
struct Join(usize, usize);

impl Join {
    /// Notes the wait. On a thread that calls no callbacks there is nothing to note.
    fn begin(from: usize, to: usize) -> Result<Option<Self>, Endless> {
        if from == 0 {
            return Ok(None);
        }
        let mut joins = joins();
        let mut reached = vec![to];
        let mut index = 0;
        while let Some(pool) = reached.get(index).copied() {
            for (_, next) in joins.iter().filter(|(waiting, _)| *waiting == pool) {
                if *next == from {
                    return Err(Endless);
                }
                if !reached.contains(next) {
                    reached.push(*next);
                }
            }
            index += 1;
        }
        joins.push((from, to));
        Ok(Some(Self(from, to)))
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        let mut joins = joins();
        if let Some(index) = joins.iter().position(|join| *join == (self.0, self.1)) {
            joins.swap_remove(index);
        }
    }
}

fn joins() -> MutexGuard<'static, Vec<(usize, usize)>> {
    JOINS.lock().unwrap_or_else(PoisonError::into_inner)
}
