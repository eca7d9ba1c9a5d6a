//! One submitted call and its result.
//!
//! A [`JobState`] has a phase, which decides whether the job can be cancelled, and an end, which holds the outcome.
//!
//! | phase | end `Pending` | end `Done` | end `Taken` |
//! |---|---|---|---|
//! | `WAITING` | in the pool's queue; or requeued, because its worker had not begun it, or died and it is retried | refused or dropped by the pool before it was sent to a worker | after `Done` |
//! | `ASSIGNED` | a worker holds it | it ended in the worker, or with it | after `Done` |
//! | `CANCELLED` | `cancel` is about to store the outcome | cancelled | after `Done` |
//!
//! | event | phase | end |
//! |---|---|---|
//! | the supervisor sends it | `WAITING` to `ASSIGNED`; a cancelled one is dropped | |
//! | the supervisor requeues it | `ASSIGNED` to `WAITING` | |
//! | `cancel` | `WAITING` to `CANCELLED` | `Pending` to `Done(Cancelled)` |
//! | result, failure, drop of its slice | | `Pending` to `Done`; later ones change nothing |
//! | `result`, `try_result`, `poll` | | `Done` to `Taken` |
//!
//! The phase changes by compare-and-swap, so either the supervisor or a canceller succeeds. The end changes under its lock.

mod as_completed;
pub(in crate::pool) mod batch;
mod imap;
pub(in crate::pool) mod map;
pub(in crate::pool) mod scan;
mod wait;

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::error::JobError;
use crate::wire::codec;

use crate::pool::callbacks::{self, Callback};
use crate::pool::job::batch::{ResultRun, ResultSink};
use crate::pool::shared;

pub use as_completed::{AsCompleted, as_completed};
pub use imap::Imap;
pub use wait::{WaitFor, wait, wait_for};

/// A call that a pool's worker runs.
///
/// [`result`](Self::result) and [`result_for`](Self::result_for) wait for the result. [`try_result`](Self::try_result) does not
/// wait. A job is also a [`Future`], so it can be awaited. Dropping a job discards the result; the call still runs.
///
/// ```
/// #[procs::task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[procs::main]
/// fn main() {
///     let pool = procs::Pool::new(2).unwrap();
///     let job = pool.submit(square, 12);
///     assert_eq!(job.result().unwrap(), 144);
/// }
/// ```
#[must_use = "dropping the job discards the result and the error of the call"]
#[doc(alias = "AsyncResult")]
#[doc(alias = "JoinHandle")]
#[doc(alias = "Future")]
pub struct Job<R> {
    state: Arc<JobState>,
    result: PhantomData<fn() -> R>,
}

/// The encoded result of a job, or why there is none.
pub(crate) type Outcome = Result<ResultRun, JobError>;

/// No worker holds the job. Only in this phase can it be cancelled.
const WAITING: u8 = 0;
/// A worker holds the job.
const ASSIGNED: u8 = 1;
/// The job has been cancelled.
const CANCELLED: u8 = 2;

/// State that a job's handle and its pool share. See the module's documentation.
pub(crate) struct JobState {
    phase: AtomicU8,
    end: Mutex<End>,
    ended: Condvar,
}

enum End {
    Pending(Watchers),
    Done(Outcome),
    Taken,
}

/// Receivers of a notification of a job's end.
#[derive(Default)]
struct Watchers {
    /// Whether a thread sleeps until the end. Without one the wake-up, a system call, is saved.
    sleeper: bool,
    waker: Option<Waker>,
    callbacks: Vec<Callback>,
    /// Queues of waits for several jobs, and this job's index in each.
    listeners: Vec<(Arc<CompletionQueue>, usize)>,
}

impl Watchers {
    fn notify(self) {
        for (queue, index) in self.listeners {
            queue.push(index);
        }
        self.callbacks.into_iter().for_each(callbacks::run);
        if let Some(waker) = self.waker {
            callbacks::wake(waker);
        }
    }
}

/// Indices of jobs that have ended, for one wait for several jobs.
#[derive(Default)]
pub(in crate::pool) struct CompletionQueue {
    ended: Mutex<VecDeque<usize>>,
    more: Condvar,
}

impl CompletionQueue {
    fn push(&self, index: usize) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push_back(index);
        drop(ended);
        self.more.notify_one();
    }

    /// Waits for the next job that ends, and returns its index. `None`: the deadline passes first.
    pub(in crate::pool) fn next(&self, deadline: Option<Instant>) -> Option<usize> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(index) = ended.pop_front() {
                return Some(index);
            }
            ended = shared::wait(&self.more, ended, deadline)?;
        }
    }
}

impl JobState {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(WAITING),
            end: Mutex::new(End::Pending(Watchers::default())),
            ended: Condvar::new(),
        })
    }

    /// Ends the job, unless it has ended. Returns whether this call ended it.
    pub(crate) fn complete(&self, outcome: Outcome) -> bool {
        let mut end = self.lock();
        let End::Pending(watchers) = &mut *end else {
            return false;
        };
        let watchers = mem::take(watchers);
        *end = End::Done(outcome);
        drop(end);
        if watchers.sleeper {
            self.ended.notify_all();
        }
        watchers.notify();
        true
    }

    pub(crate) fn is_done(&self) -> bool {
        !matches!(*self.lock(), End::Pending(_))
    }

    /// Waits for the end and takes the outcome. `None`: the deadline passes first.
    fn await_end<R: DeserializeOwned>(
        &self,
        deadline: Option<Instant>,
    ) -> Option<Result<R, JobError>> {
        let mut end = self.lock();
        while let End::Pending(watchers) = &mut *end {
            watchers.sleeper = true;
            end = shared::wait(&self.ended, end, deadline)?;
        }
        take(end)
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.phase
            .compare_exchange(from, to, AcqRel, Acquire)
            .is_ok()
    }
}

impl ResultSink for JobState {
    fn assign(&self) -> bool {
        self.step(WAITING, ASSIGNED)
    }

    fn requeue(&self) {
        self.step(ASSIGNED, WAITING);
    }

    fn results(&self, _first: usize, run: ResultRun) {
        self.complete(Ok(run));
    }

    fn fail(&self, _index: usize, error: JobError) {
        self.complete(Err(error));
    }

    fn abandon(&self, _first: usize, _count: usize) {
        self.complete(Err(JobError::Closed));
    }
}

impl<R> Job<R> {
    pub(crate) fn new(state: Arc<JobState>) -> Self {
        Self {
            state,
            result: PhantomData,
        }
    }

    /// Returns whether the job has ended, in a result or in an error.
    pub fn is_done(&self) -> bool {
        self.state.is_done()
    }

    /// Returns whether a worker holds the job and it has not ended. It may still wait there behind another one.
    pub fn is_running(&self) -> bool {
        self.state.phase.load(Acquire) == ASSIGNED && !self.is_done()
    }

    /// Returns whether the job has ended in an error that has not been taken.
    pub(in crate::pool) fn has_failed(&self) -> bool {
        match &*self.state.lock() {
            End::Done(Err(_)) => true,
            End::Done(Ok(run)) => run.get(0).is_err(),
            End::Pending(_) | End::Taken => false,
        }
    }

    /// Cancels the job if no worker holds it. It then ends in [`JobError::Cancelled`] and never runs.
    ///
    /// Returns false if the job has ended or a worker holds it. [`Pool`](crate::Pool) documents how to stop a worker.
    pub fn cancel(&self) -> bool {
        // A job that the pool has refused has ended in the phase `WAITING`.
        self.state.step(WAITING, CANCELLED) && self.state.complete(Err(JobError::Cancelled))
    }

    /// Calls `callback` once, when the job ends; at once if it has ended.
    ///
    /// It is called on the pool's callback thread, outside every lock. It may use the pool, and wait for jobs and for other
    /// callbacks. Callbacks are called one after the other. One that has not returned after 10 ms no longer delays those
    /// behind it. A panic in a callback is caught and ignored.
    ///
    /// If the job has already ended, the callback is called on the calling thread. If the job is cancelled, it is called on
    /// the thread that calls [`cancel`](Self::cancel).
    #[doc(alias = "add_done_callback")]
    pub fn on_done(&self, callback: impl FnOnce() + Send + 'static) {
        let mut end = self.state.lock();
        if let End::Pending(watchers) = &mut *end {
            watchers.callbacks.push(Box::new(callback));
        } else {
            drop(end);
            callbacks::run(Box::new(callback));
        }
    }

    /// Adds `index` to a queue when this job ends; at once if it has ended.
    pub(in crate::pool) fn notify_queue(&self, queue: &Arc<CompletionQueue>, index: usize) {
        let mut end = self.state.lock();
        if let End::Pending(watchers) = &mut *end {
            watchers.listeners.push((Arc::clone(queue), index));
        } else {
            queue.push(index);
        }
    }

    /// Undoes `notify_queue`.
    pub(in crate::pool) fn forget_queue(&self, queue: &Arc<CompletionQueue>) {
        if let End::Pending(watchers) = &mut *self.state.lock() {
            watchers
                .listeners
                .retain(|(other, _)| !Arc::ptr_eq(other, queue));
        }
    }
}

impl<R: DeserializeOwned> Job<R> {
    /// Waits for the end of the job and returns its result.
    ///
    /// # Errors
    ///
    /// When the task panicked, its worker died or was killed, the job was cancelled, the pool was closed or is broken, a
    /// value could not be encoded or decoded, or an earlier call took the result.
    #[doc(alias = "get")]
    pub fn result(self) -> Result<R, JobError> {
        self.state
            .await_end(None)
            .unwrap_or(Err(JobError::TimedOut))
    }

    /// Waits for the end of the job, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](JobError::TimedOut) if the job has not ended; a later call waits for it again. Otherwise as
    /// [`result`](Self::result).
    pub fn result_for(&mut self, time: Duration) -> Result<R, JobError> {
        // A time beyond the clock's range means no limit.
        let deadline = Instant::now().checked_add(time);
        let result = self.state.await_end(deadline);
        result.unwrap_or(Err(JobError::TimedOut))
    }

    /// Waits for the end of the job, but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`result_for`](Self::result_for).
    pub fn result_until(&mut self, deadline: Instant) -> Result<R, JobError> {
        let result = self.state.await_end(Some(deadline));
        result.unwrap_or(Err(JobError::TimedOut))
    }

    /// Takes the result, as [`result`](Self::result) returns it, if the job has ended. Returns `None` before.
    #[doc(alias = "ready")]
    #[doc(alias = "successful")]
    pub fn try_result(&mut self) -> Option<Result<R, JobError>> {
        take(self.state.lock())
    }
}

/// Takes the outcome of a job, and decodes it after the lock is released.
fn take<R: DeserializeOwned>(mut end: MutexGuard<'_, End>) -> Option<Result<R, JobError>> {
    if matches!(*end, End::Pending(_)) {
        return None;
    }
    let taken = mem::replace(&mut *end, End::Taken);
    drop(end);
    Some(match taken {
        End::Done(Ok(run)) => run
            .get(0)
            .and_then(|bytes| codec::decode(bytes).map_err(JobError::Decode)),
        End::Done(Err(error)) => Err(error),
        End::Pending(_) | End::Taken => Err(JobError::AlreadyTaken),
    })
}

impl<R: DeserializeOwned> Future for Job<R> {
    type Output = Result<R, JobError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloning and dropping a waker runs code of the user, so both happen outside the lock.
        let waker = context.waker().clone();
        let mut end = self.state.lock();
        if let End::Pending(watchers) = &mut *end {
            let previous = watchers.waker.replace(waker);
            drop(end);
            drop(previous);
            return Poll::Pending;
        }
        take(end).map_or(Poll::Pending, Poll::Ready)
    }
}

impl<R> fmt::Debug for Job<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_done() {
            "done"
        } else if self.is_running() {
            "running"
        } else {
            "waiting"
        };
        f.debug_struct("Job").field("state", &state).finish()
    }
}
