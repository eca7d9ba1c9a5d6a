//! One submitted function and its result, in one allocation that the worker and the `Job` share.
//!
//! | state     | the slot holds | and belongs to                            |
//! |-----------|----------------|-------------------------------------------|
//! | `QUEUED`  | the function   | the thread that moves the state on        |
//! | `RUNNING` | nothing        | that thread: it runs the function         |
//! | `REFUSED` | nothing        | that thread: it drops the function        |
//! | `DONE`    | the outcome    | the `Handle`                              |
//!
//! | event                         | state                  | action                                  |
//! |-------------------------------|------------------------|-----------------------------------------|
//! | a worker or a waiter runs it  | `QUEUED` to `RUNNING`  | frees its room in the queue             |
//! | cancellation or refusal       | `QUEUED` to `REFUSED`  | frees its room in the queue             |
//! | a promise begins              | `QUEUED` to `RUNNING`  |                                         |
//! | the outcome is stored         | to `DONE`              | notifies the watchers                   |
//!
//! The bit `WATCHED` says that `watchers` is not empty; it has no meaning once the task is done.

use super::completion::CompletionQueue;
use super::room::Permit;
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
const REFUSED: u8 = 2;
const DONE: u8 = 3;
const STATE: u8 = 3;
const WATCHED: u8 = 4;
/// Above these bits a finished task's `JobEnd`.
const END_SHIFT: u32 = 3;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobEnd {
    /// It returned a value.
    Finished,
    /// It panicked.
    Panicked,
    /// It was cancelled before it started.
    Cancelled,
    /// The pool was shut down before it took the job.
    Closed,
    /// The job's [`Promise`](crate::Promise) was dropped without a value.
    BrokenPromise,
}

impl JobEnd {
    const ALL: [Self; 5] = [
        Self::Finished,
        Self::Panicked,
        Self::Cancelled,
        Self::Closed,
        Self::BrokenPromise,
    ];

    fn of<T>(outcome: &Result<T, JobError>) -> Self {
        match outcome {
            Ok(_) => Self::Finished,
            Err(JobError::Panicked(_)) => Self::Panicked,
            Err(JobError::Closed) => Self::Closed,
            Err(JobError::BrokenPromise) => Self::BrokenPromise,
            Err(_) => Self::Cancelled,
        }
    }
}

/// What is notified of a task's end.
pub(super) enum Watcher {
    /// A sleeping thread.
    Waiter(Arc<Waiter>),
    /// The task of an async runtime that polls the job.
    Waker(Waker),
    /// A function of the user.
    Callback(Box<dyn FnOnce(JobEnd) + Send>),
    /// A wait for several jobs, and this one's index in it.
    Group(Arc<CompletionQueue>, usize),
}

impl Watcher {
    pub(super) fn notify(self, end: JobEnd) {
        // Callbacks and wakers are user code: their panics do not keep the others from being notified.
        catch_and_forget(|| match self {
            Self::Waiter(waiter) => waiter.notify(),
            Self::Waker(waker) => waker.wake(),
            Self::Callback(callback) => callback(end),
            Self::Group(queue, index) => queue.push(index),
        });
    }

    fn is_waiter(&self, waiter: &Arc<Waiter>) -> bool {
        matches!(self, Self::Waiter(other) if Arc::ptr_eq(other, waiter))
    }

    fn is_of_group(&self, queue: &Arc<CompletionQueue>) -> bool {
        matches!(self, Self::Group(other, _) if Arc::ptr_eq(other, queue))
    }
}

/// What a task is to its pool.
pub(crate) trait Runnable: Send + Sync {
    /// Runs the function unless another thread has claimed it, and calls `done` before the outcome can be
    /// seen. True: it ran here.
    fn run_then(&self, done: &mut dyn FnMut()) -> bool;

    /// Runs the function unless another thread has claimed it. True: it ran here.
    fn run(&self) -> bool {
        self.run_then(&mut || ())
    }

    /// Ends the task with `error` unless it has started. True: it will never run.
    fn refuse(&self, error: JobError) -> bool;

    /// Whether no thread has claimed the task.
    fn is_queued(&self) -> bool;
}

/// What a task is to its job.
pub(super) trait Work<T>: Runnable {
    fn state(&self) -> &TaskState;

    /// Takes the outcome of a task that is done.
    ///
    /// # Safety
    /// Only the task's one [`Handle`] calls it, from one thread at a time.
    unsafe fn take(&self) -> Option<Result<T, JobError>>;
}

/// The one owner of a task's outcome.
pub(crate) struct Handle<T>(Arc<dyn Work<T>>);

impl<T> Handle<T> {
    /// # Safety
    /// The task has no other handle.
    pub(super) unsafe fn new(task: Arc<dyn Work<T>>) -> Self {
        Self(task)
    }

    pub(super) fn state(&self) -> &TaskState {
        self.0.state()
    }

    /// Takes the outcome of a task that is done; `None` before.
    pub(super) fn take(&mut self) -> Option<Result<T, JobError>> {
        // SAFETY: this is the task's only handle by the contract of `new`, and `&mut self` makes it this thread's.
        unsafe { self.0.take() }
    }

    pub(super) fn run(&self) -> bool {
        self.0.run()
    }

    pub(super) fn refuse(&self, error: JobError) -> bool {
        self.0.refuse(error)
    }
}

impl<T: Send + 'static> Handle<T> {
    /// Passes the outcome to `f` when the task is done; at once if it is.
    pub(super) fn pass_outcome(mut self, f: impl FnOnce(Result<T, JobError>) + Send + 'static) {
        let task = Arc::clone(&self.0);
        let call = move |_: JobEnd| {
            if let Some(outcome) = self.take() {
                f(outcome);
            }
        };
        // The task and the watcher own each other until the task ends, which every task does.
        if let Err(watcher) = task.state().watch(Watcher::Callback(Box::new(call))) {
            watcher.notify(task.state().end());
        }
    }
}

/// Makes a task of the pool with this number: what the pool runs, and the way to the outcome.
pub(crate) fn task<F, T>(f: F, pool: usize, room: Option<Permit>) -> (Arc<dyn Runnable>, Handle<T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let task = Arc::new(Task::new(f, pool, room));
    // The only handle of a new task.
    (task.clone(), Handle(task))
}

/// The state and the watchers: what needs no type parameter.
pub(super) struct TaskState {
    state: AtomicU8,
    watchers: Mutex<Vec<Watcher>>,
    /// The number of the pool whose workers may run the task.
    pool: usize,
}

impl TaskState {
    fn new(pool: usize) -> Self {
        Self {
            state: AtomicU8::new(QUEUED),
            watchers: Mutex::new(Vec::new()),
            pool,
        }
    }

    /// Moves a queued task to `next`. True: the slot belongs to the calling thread.
    fn claim(&self, next: u8) -> bool {
        let mut now = self.state.load(Ordering::Relaxed);
        while now & STATE == QUEUED {
            // Acquire: the claimer sees the function as the submitter wrote it.
            match self.state.compare_exchange_weak(
                now,
                now | next,
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
        // Release: a thread that sees DONE sees the outcome. Acquire: pairs with `watch`.
        if self.state.swap(done, Ordering::AcqRel) & WATCHED != 0 {
            let watchers = mem::take(&mut *self.watchers.lock());
            for watcher in watchers {
                watcher.notify(end);
            }
        }
    }

    /// How a task that is done ended.
    pub(super) fn end(&self) -> JobEnd {
        JobEnd::ALL[usize::from(self.state.load(Ordering::Acquire) >> END_SHIFT)]
    }

    pub(super) fn pool(&self) -> usize {
        self.pool
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Acquire) & STATE == state
    }

    pub(super) fn is_done(&self) -> bool {
        self.is(DONE)
    }

    pub(super) fn is_running(&self) -> bool {
        self.is(RUNNING)
    }

    pub(super) fn is_queued(&self) -> bool {
        self.is(QUEUED)
    }

    /// Adds a watcher, unless the task is already done: then the watcher comes back.
    ///
    /// Of wakers only the newest is kept, as the contract of `Future::poll` says.
    pub(super) fn watch(&self, watcher: Watcher) -> Result<(), Watcher> {
        let is_waker = |watcher: &Watcher| matches!(watcher, Watcher::Waker(_));
        let mut watchers = self.watchers.lock();
        let former = match is_waker(&watcher) {
            true => watchers.iter().position(is_waker),
            false => None,
        };
        let former = former.map(|index| watchers.remove(index));
        watchers.push(watcher);
        // AcqRel pairs with `publish`: either it sees WATCHED and waits for the mutex, or this sees DONE.
        let done = self.state.fetch_or(WATCHED, Ordering::AcqRel) & STATE == DONE;
        let refused = if done { watchers.pop() } else { None };
        drop(watchers);
        // The drop of a waker is user code: outside the lock.
        catch_and_forget(|| drop(former));
        refused.map_or(Ok(()), Err)
    }

    /// Removes the watcher of a thread that gives up.
    pub(super) fn unwatch(&self, waiter: &Arc<Waiter>) {
        self.watchers
            .lock()
            .retain(|other| !other.is_waiter(waiter));
    }

    /// Removes the watchers of a wait for several jobs that has ended.
    pub(super) fn unwatch_group(&self, queue: &Arc<CompletionQueue>) {
        self.watchers
            .lock()
            .retain(|other| !other.is_of_group(queue));
    }
}

enum Slot<F, T> {
    /// The permit is dropped as the function leaves the slot.
    Function(F, Option<Permit>),
    Outcome(Result<T, JobError>),
    Empty,
}

/// The allocation.
pub(super) struct Task<F, T> {
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
    pub(super) fn new(f: F, pool: usize, room: Option<Permit>) -> Self {
        Self {
            state: TaskState::new(pool),
            slot: UnsafeCell::new(Slot::Function(f, room)),
        }
    }

    /// # Safety
    /// The slot belongs to the calling thread, by the table above.
    unsafe fn replace(&self, new: Slot<F, T>) -> Slot<F, T> {
        self.slot.with_mut(|slot| {
            // SAFETY: the pointer is the cell's, and the caller excludes other users.
            unsafe { mem::replace(&mut *slot, new) }
        })
    }

    /// Stores the outcome and ends the task.
    ///
    /// # Safety
    /// The calling thread has claimed the task and not finished it.
    unsafe fn finish(&self, outcome: Result<T, JobError>) {
        let end = JobEnd::of(&outcome);
        // SAFETY: a claimed slot belongs to its claimer until `publish`.
        let former = unsafe { self.replace(Slot::Outcome(outcome)) };
        debug_assert!(matches!(former, Slot::Empty), "a claimed slot is empty");
        self.state.publish(end);
    }
}

impl<F, T> Runnable for Task<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run_then(&self, done: &mut dyn FnMut()) -> bool {
        if !self.state.claim(RUNNING) {
            return false;
        }
        // SAFETY: claimed just now.
        if let Slot::Function(f, room) = unsafe { self.replace(Slot::Empty) } {
            drop(room);
            let outcome = catch_unwind(AssertUnwindSafe(f));
            let outcome = outcome.map_err(|payload| JobError::Panicked(Panic::new(payload)));
            done();
            // SAFETY: claimed above, finished here only.
            unsafe { self.finish(outcome) };
        }
        true
    }

    fn refuse(&self, error: JobError) -> bool {
        if !self.state.claim(REFUSED) {
            return false;
        }
        // SAFETY: claimed just now.
        let function = unsafe { self.replace(Slot::Empty) };
        // What the function captured is dropped before the job is seen to be done.
        catch_and_forget(|| drop(function));
        // SAFETY: claimed above, finished here only.
        unsafe { self.finish(Err(error)) };
        true
    }

    fn is_queued(&self) -> bool {
        self.state.is_queued()
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

    unsafe fn take(&self) -> Option<Result<T, JobError>> {
        if !self.state.is_done() {
            return None;
        }
        // SAFETY: the slot of a task that is done belongs to its handle, which the caller is.
        Some(match unsafe { self.replace(Slot::Empty) } {
            Slot::Outcome(outcome) => outcome,
            Slot::Function(..) | Slot::Empty => Err(JobError::AlreadyTaken),
        })
    }
}

// Not in the models: loom does not see the last owner of an `Arc` wait for the others.
#[cfg(not(loom))]
impl<F, T> Drop for Task<F, T> {
    /// Drops an outcome that was not taken. Its panic goes no further, whichever thread was the last to let go.
    fn drop(&mut self) {
        let slot = self.slot.with_mut(|slot| {
            // SAFETY: `&mut self` excludes other users.
            unsafe { mem::replace(&mut *slot, Slot::Empty) }
        });
        if !matches!(slot, Slot::Empty) {
            catch_and_forget(|| drop(slot));
        }
    }
}

/// A task without a function, whose outcome a [`Resolver`] gives.
struct Unresolved<T>(Task<fn() -> T, T>);

impl<T: Send> Runnable for Unresolved<T> {
    fn run_then(&self, _done: &mut dyn FnMut()) -> bool {
        false
    }

    fn refuse(&self, error: JobError) -> bool {
        self.0.refuse(error)
    }

    fn is_queued(&self) -> bool {
        self.0.is_queued()
    }
}

impl<T: Send> Work<T> for Unresolved<T> {
    fn state(&self) -> &TaskState {
        &self.0.state
    }

    unsafe fn take(&self) -> Option<Result<T, JobError>> {
        // SAFETY: the caller's contract is that of the inner task.
        unsafe { self.0.take() }
    }
}

/// The one giver of an outcome.
pub(super) struct Resolver<T> {
    task: Arc<Unresolved<T>>,
    /// Whether this resolver has claimed the task.
    begun: bool,
}

/// Makes a task that runs nothing: the giver and the owner of its outcome.
pub(super) fn unresolved<T: Send + 'static>() -> (Resolver<T>, Handle<T>) {
    let task = Arc::new(Unresolved(Task {
        state: TaskState::new(0),
        slot: UnsafeCell::new(Slot::Empty),
    }));
    let resolver = Resolver {
        task: task.clone(),
        begun: false,
    };
    // The only handle of a new task.
    (resolver, Handle(task))
}

impl<T: Send> Resolver<T> {
    /// Claims the task. False: it was cancelled.
    pub(super) fn begin(&mut self) -> bool {
        self.begun = self.begun || self.task.0.state.claim(RUNNING);
        self.begun
    }

    /// Whether the task was cancelled.
    pub(super) fn is_refused(&self) -> bool {
        !self.begun && !self.task.is_queued()
    }

    /// Ends the task, or gives the outcome back if it was cancelled.
    pub(super) fn finish(
        mut self,
        outcome: Result<T, JobError>,
    ) -> Result<(), Result<T, JobError>> {
        if !self.begin() {
            return Err(outcome);
        }
        // SAFETY: the resolver has claimed the task, and is consumed.
        unsafe { self.task.0.finish(outcome) };
        Ok(())
    }
}
