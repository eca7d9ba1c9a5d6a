//! One submitted function and its result, in one allocation that the worker and the `Job` share.
//!
//! | state     | the slot holds | and belongs to                          |
//! |-----------|----------------|-----------------------------------------|
//! | `QUEUED`  | the function   | whoever moves the state to `RUNNING`    |
//! | `RUNNING` | nothing        | that thread: a worker, or one that cancels |
//! | `DONE`    | the outcome    | the `Job`                               |
//!
//! The bit `WATCHED` says that `watchers` is not empty; it is gone once the task is done.

use crate::error::{JobError, Panic};
use crate::park::Waiter;
use crate::park::sys::atomic::{AtomicU8, Ordering};
use crate::park::sys::{Mutex, UnsafeCell};
use crate::unwind::catch_and_forget;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

const QUEUED: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const STATE: u8 = 3;
const WATCHED: u8 = 4;
/// Above these bits a finished task's `JobEnd`.
const END_SHIFT: u32 = 4;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobEnd {
    /// It returned a value.
    Finished,
    /// It panicked.
    Panicked,
    /// It was cancelled before it started.
    Cancelled,
    /// The pool was shut down before it took the job.
    Closed,
}

impl JobEnd {
    const ALL: [Self; 4] = [
        Self::Finished,
        Self::Panicked,
        Self::Cancelled,
        Self::Closed,
    ];

    fn of<T>(outcome: &Result<T, JobError>) -> Self {
        match outcome {
            Ok(_) => Self::Finished,
            Err(JobError::Panicked(_)) => Self::Panicked,
            Err(JobError::Closed) => Self::Closed,
            Err(_) => Self::Cancelled,
        }
    }
}

/// Who is told that a task is done.
pub(crate) enum Watcher {
    /// A sleeping thread.
    Waiter(Arc<Waiter>),
    /// The task of an async runtime that polls the job.
    Waker(Waker),
    /// A function of the user.
    Callback(Box<dyn FnOnce(JobEnd) + Send>),
}

impl Watcher {
    pub(super) fn tell(self, end: JobEnd) {
        // A callback may panic, a waker is foreign code: neither may keep the others from being told.
        catch_and_forget(|| match self {
            Self::Waiter(waiter) => waiter.notify(),
            Self::Waker(waker) => waker.wake(),
            Self::Callback(callback) => callback(end),
        });
    }
}

/// What a task is to its pool.
pub(crate) trait Runnable: Send + Sync {
    /// Runs the function unless another thread has claimed it, and calls `done` before anyone can see the
    /// outcome. True: it ran here.
    fn run_then(&self, done: &mut dyn FnMut()) -> bool;

    /// Runs the function unless another thread has claimed it. True: it ran here.
    fn run(&self) -> bool {
        self.run_then(&mut || ())
    }

    /// Ends the task with `error` unless it has started. True: it will never run.
    fn refuse(&self, error: JobError) -> bool;
}

/// What a task is to its job.
pub(crate) trait Work<T>: Runnable {
    fn state(&self) -> &TaskState;
    /// Takes the outcome of a task that is done. Only the job may call it.
    fn take(&self) -> Option<Result<T, JobError>>;
}

/// The state and the watchers: what needs no type parameter.
pub(crate) struct TaskState {
    state: AtomicU8,
    watchers: Mutex<Vec<Watcher>>,
    /// The pool whose workers may run the task.
    pool: usize,
}

impl TaskState {
    fn claim(&self) -> bool {
        let mut now = self.state.load(Ordering::Relaxed);
        while now & STATE == QUEUED {
            // Acquire: the claimer sees the function as the submitter wrote it.
            match self.state.compare_exchange_weak(
                now,
                now | RUNNING,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
        false
    }

    fn publish(&self, end: JobEnd) {
        let done = DONE | (end as u8) << END_SHIFT;
        // Release: whoever sees DONE sees the outcome. Acquire: pairs with `watch`.
        if self.state.swap(done, Ordering::AcqRel) & WATCHED != 0 {
            let watchers = mem::take(&mut *self.watchers.lock());
            for watcher in watchers {
                watcher.tell(end);
            }
        }
    }

    /// How a task that is done ended.
    pub(super) fn end(&self) -> JobEnd {
        JobEnd::ALL[usize::from(self.state.load(Ordering::Acquire) >> END_SHIFT)]
    }

    pub(crate) fn pool(&self) -> usize {
        self.pool
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state.load(Ordering::Acquire) & STATE == DONE
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state.load(Ordering::Acquire) & STATE == RUNNING
    }

    /// Adds a watcher, unless the task is already done: then the watcher comes back.
    pub(crate) fn watch(&self, watcher: Watcher) -> Result<(), Watcher> {
        let mut watchers = self.watchers.lock();
        if let Watcher::Waker(new) = &watcher {
            // A job polled again has one waker: the newest.
            watchers.retain(|old| !matches!(old, Watcher::Waker(w) if w.will_wake(new)));
        }
        watchers.push(watcher);
        // AcqRel pairs with `publish`: either it sees WATCHED and waits for the mutex, or this sees DONE.
        if self.state.fetch_or(WATCHED, Ordering::AcqRel) & STATE != DONE {
            return Ok(());
        }
        match watchers.pop() {
            Some(watcher) => Err(watcher),
            None => Ok(()),
        }
    }

    /// Takes back a sleeping thread's watcher.
    pub(crate) fn unwatch(&self, waiter: &Arc<Waiter>) {
        self.watchers
            .lock()
            .retain(|watcher| !matches!(watcher, Watcher::Waiter(s) if Arc::ptr_eq(s, waiter)));
    }
}

enum Slot<F, T> {
    Function(F),
    Outcome(Result<T, JobError>),
    Empty,
}

/// The allocation.
pub(crate) struct Task<F, T> {
    state: TaskState,
    slot: UnsafeCell<Slot<F, T>>,
}

// SAFETY: the slot is used by one thread at a time, by the table above, so sharing a task amounts to
// sending its function to the claimer and its outcome to the job.
unsafe impl<F: Send, T: Send> Sync for Task<F, T> {}

impl<F, T> Task<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    pub(crate) fn new(f: F, pool: usize) -> Self {
        Self {
            state: TaskState {
                state: AtomicU8::new(QUEUED),
                watchers: Mutex::new(Vec::new()),
                pool,
            },
            slot: UnsafeCell::new(Slot::Function(f)),
        }
    }

    fn replace(&self, new: Slot<F, T>) -> Slot<F, T> {
        self.slot.with_mut(|slot| {
            // SAFETY: callers own the slot by the table above.
            unsafe { mem::replace(&mut *slot, new) }
        })
    }

    fn finish(&self, outcome: Result<T, JobError>) {
        let end = JobEnd::of(&outcome);
        self.replace(Slot::Outcome(outcome));
        self.state.publish(end);
    }
}

impl<F, T> Runnable for Task<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run_then(&self, done: &mut dyn FnMut()) -> bool {
        if !self.state.claim() {
            return false;
        }
        if let Slot::Function(f) = self.replace(Slot::Empty) {
            let outcome = catch_unwind(AssertUnwindSafe(f));
            done();
            self.finish(outcome.map_err(|payload| JobError::Panicked(Panic::new(payload))));
        }
        true
    }

    fn refuse(&self, error: JobError) -> bool {
        if !self.state.claim() {
            return false;
        }
        // What the function captured is dropped before the job is seen to be done.
        let function = self.replace(Slot::Empty);
        catch_and_forget(|| drop(function));
        self.finish(Err(error));
        true
    }
}

impl<F, T> Work<T> for Task<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn state(&self) -> &TaskState {
        &self.state
    }

    fn take(&self) -> Option<Result<T, JobError>> {
        if !self.state.is_done() {
            return None;
        }
        Some(match self.replace(Slot::Empty) {
            Slot::Outcome(outcome) => outcome,
            Slot::Function(_) | Slot::Empty => Err(JobError::AlreadyTaken),
        })
    }
}
