//! The result to come of a submitted function.

use super::completion::CompletionQueue;
use super::core;
use super::task::{Handle, JobEnd, TaskState, Watcher};
use crate::error::JobError;
use crate::park::{Backoff, Waiter, deadline};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The handle of a submitted function: waits for its result, cancels it, or is awaited.
///
/// A thread that waits for a job spins for a few microseconds, then sleeps. A worker that waits for a job
/// of its own pool, also by `await`, runs that job itself if it is still queued, and no other. So jobs that
/// submit jobs to their pool and wait for them cannot block it, however small it is. Jobs of two pools that
/// wait for each other can.
///
/// Any other thread leaves the job to the workers, with their names, hooks and thread-local values, unless it
/// calls [`result_here`](Self::result_here).
///
/// Dropping the handle lets the job run on; its result is dropped by the worker.
#[must_use = "a dropped job still runs, but its result and its panic are lost"]
#[doc(alias = "Future")]
#[doc(alias = "JoinHandle")]
#[doc(alias = "AsyncResult")]
pub struct Job<T> {
    task: Handle<T>,
}

impl<T> Job<T> {
    pub(crate) fn new(task: Handle<T>) -> Self {
        Self { task }
    }

    pub(super) fn state(&self) -> &TaskState {
        self.task.state()
    }

    /// Blocks until the job is done and returns its result.
    ///
    /// # Errors
    /// [`JobError::Panicked`] with the panic, [`JobError::Cancelled`], [`JobError::Closed`] if the pool
    /// was shut down first, [`JobError::AlreadyTaken`] if an earlier call took the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{JobError, Pool};
    ///
    /// let pool = Pool::new(2)?;
    /// assert_eq!(pool.submit(|| 6 * 7).result()?, 42);
    /// let failed = pool.submit(|| -> u8 { panic!("no luck") });
    /// let Err(JobError::Panicked(panic)) = failed.result() else { unreachable!() };
    /// assert_eq!(panic.message(), "no luck");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "get")]
    #[doc(alias = "join")]
    pub fn result(mut self) -> Result<T, JobError> {
        self.wait_and_take(None)
    }

    /// Runs the job in the calling thread if no worker has begun it, else waits for it; returns its result.
    ///
    /// For a job that need not run on a worker this saves the exchange between two threads, which costs more
    /// than a short function. It may run before jobs that were submitted earlier, and beside as many others
    /// as the pool has workers.
    ///
    /// # Errors
    /// Those of [`result`](Self::result).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use threads::{Pool, Queue};
    ///
    /// let pool = Pool::new(1)?;
    /// let gate = Queue::bounded(1);
    /// let waits = gate.clone();
    /// // The only worker is busy, so the second job is begun here.
    /// let first = pool.submit(move || waits.get());
    /// let second = pool.submit(|| thread::current().id());
    /// while !first.is_running() {
    ///     thread::yield_now();
    /// }
    /// assert_eq!(second.result_here()?, thread::current().id());
    /// gate.put(())?;
    /// first.result()??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result_here(self) -> Result<T, JobError> {
        self.run_if_queued();
        self.result()
    }

    /// Waits for the result for at most `timeout`.
    ///
    /// A worker that runs the queued job itself finishes it, even past the limit.
    ///
    /// # Errors
    /// [`JobError::TimedOut`] if the job is not done, and those of [`result`](Self::result).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{JobError, Pool, Queue};
    ///
    /// let pool = Pool::new(1)?;
    /// let (gate, opened) = (Queue::bounded(1), Queue::bounded(1));
    /// let waiter = gate.clone();
    /// let mut job = pool.submit(move || waiter.get());
    /// opened.put(())?;
    /// assert!(matches!(job.result_for(Duration::from_millis(1)), Err(JobError::TimedOut)));
    /// gate.put("open")?;
    /// assert_eq!(job.result()?, Ok("open"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result_for(&mut self, timeout: Duration) -> Result<T, JobError> {
        self.wait_and_take(deadline(timeout))
    }

    /// Waits for the result until `deadline`.
    ///
    /// # Errors
    /// Those of [`result_for`](Self::result_for).
    pub fn result_until(&mut self, deadline: Instant) -> Result<T, JobError> {
        self.wait_and_take(Some(deadline))
    }

    /// Returns the result if the job is done, `None` if it is not.
    ///
    /// # Errors
    /// Those of [`result`](Self::result).
    pub fn try_result(&mut self) -> Option<Result<T, JobError>> {
        self.task.take()
    }

    /// Whether the job has ended, in whatever way.
    #[must_use]
    #[doc(alias = "done")]
    pub fn is_done(&self) -> bool {
        self.state().is_done()
    }

    /// Whether a thread is running the job's function at this moment.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state().is_running()
    }

    /// Cancels the job if it has not started.
    ///
    /// True: it will never run, what its function captured is dropped, and its place in the queue is free. False:
    /// it runs or has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{JobError, Pool, Queue};
    ///
    /// let pool = Pool::new(1)?;
    /// let (started, gate) = (Queue::bounded(1), Queue::bounded(1));
    /// let (says, waits) = (started.clone(), gate.clone());
    /// let running = pool.submit(move || says.put(()).is_ok() && waits.get().is_ok());
    /// started.get()?;
    /// let queued = pool.submit(|| ());
    /// assert!(!running.cancel() && queued.cancel());
    /// assert!(matches!(queued.result(), Err(JobError::Cancelled)));
    /// gate.put(())?;
    /// assert!(running.result()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) -> bool {
        self.task.refuse(JobError::Cancelled)
    }

    /// Calls `f` when the job has ended, and keeps the handle.
    ///
    /// It is called in the thread that ends the job, after the functions added before; or at once, in this
    /// thread, if the job has ended. A panic of `f` is reported by the panic hook and goes no further.
    /// [`on_done`](Self::on_done) passes the result as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{JobEnd, Pool, Queue};
    ///
    /// let pool = Pool::new(1)?;
    /// let (ends, sink) = (Queue::unbounded(), Queue::unbounded());
    /// let log = ends.clone();
    /// let job = pool.submit(move || sink.put(1));
    /// job.on_end(move |end| log.put(end).unwrap());
    /// assert_eq!(ends.get()?, JobEnd::Finished);
    /// job.result()??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_end(&self, f: impl FnOnce(JobEnd) + Send + 'static) {
        if let Err(watcher) = self.state().watch(Watcher::Callback(Box::new(f))) {
            watcher.notify(self.state().end());
        }
    }

    /// Runs the job in this thread unless another has claimed it. True: it ran here.
    pub(crate) fn run_if_queued(&self) -> bool {
        self.task.run()
    }

    /// What a waiting worker may do: run this job, of its own pool, if it is still queued.
    pub(super) fn run_on_own_worker(&self) -> bool {
        #[cfg(test)]
        super::visits::count();
        core::current_pool() == Some(self.state().pool()) && self.run_if_queued()
    }

    fn wait_and_take(&mut self, deadline: Option<Instant>) -> Result<T, JobError> {
        if !self.is_done() {
            self.wait(deadline);
        }
        self.task.take().unwrap_or(Err(JobError::TimedOut))
    }

    /// Waits for the end of the job, or for the deadline.
    pub(super) fn wait(&self, deadline: Option<Instant>) {
        let state = self.state();
        if self.run_on_own_worker() {
            return;
        }
        let mut backoff = Backoff::new();
        while backoff.snooze() {
            if state.is_done() {
                return;
            }
        }
        let waiter = Waiter::new();
        if state.watch(Watcher::Waiter(waiter.clone())).is_ok() && !waiter.wait(deadline) {
            state.unwatch(&waiter);
        }
    }

    /// Puts `index` into the queue when the job ends; at once if it has.
    pub(super) fn notify_group(&self, queue: &Arc<CompletionQueue>, index: usize) {
        let watcher = Watcher::Group(Arc::clone(queue), index);
        if self.state().watch(watcher).is_err() {
            queue.push(index);
        }
    }
}

impl<T: Send + 'static> Job<T> {
    /// Passes the result to `f` when the job has ended.
    ///
    /// `f` is called in the thread that ends the job, after the functions of [`on_end`](Self::on_end); or at
    /// once, in this thread, if the job has ended. A panic of `f` is reported by the panic hook and goes no
    /// further. [`JobError::AlreadyTaken`] is passed if [`try_result`](Self::try_result) or a wait with a time
    /// limit took the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{Pool, Queue};
    ///
    /// let pool = Pool::new(1)?;
    /// let results = Queue::unbounded();
    /// let sink = results.clone();
    /// pool.submit(|| 6 * 7).on_done(move |result| sink.put(result).unwrap());
    /// assert_eq!(results.get()??, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "add_done_callback")]
    #[doc(alias = "then")]
    pub fn on_done(self, f: impl FnOnce(Result<T, JobError>) + Send + 'static) {
        self.task.pass_outcome(f);
    }
}

/// Awaiting a job gives what [`Job::result`] gives. Dropping the future lets the job run on.
///
/// A worker that polls a queued job of its own pool runs it.
impl<T> Future for Job<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_done() && !self.run_on_own_worker() {
            // An error says that the job has ended meanwhile.
            let _ = self.state().watch(Watcher::Waker(cx.waker().clone()));
        }
        match self.task.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    }
}

/// The state of a job is right after a panic of user code.
impl<T> UnwindSafe for Job<T> {}
impl<T> RefUnwindSafe for Job<T> {}

impl<T> Source for Job<T> {
    fn is_ready(&self) -> bool {
        self.is_done()
    }

    fn listen(&self, waiter: &Arc<Waiter>) {
        // A job that is done gives the watcher back; the caller looks again anyway.
        let _ = self.state().watch(Watcher::Waiter(waiter.clone()));
    }

    fn unlisten(&self, waiter: &Arc<Waiter>) -> bool {
        self.state().unwatch(waiter);
        false
    }

    fn help(&self) {
        self.run_on_own_worker();
    }
}

/// Ready when the job is done.
impl<T> Waitable for Job<T> {}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.is_done(), self.is_running()) {
            (true, _) => "done",
            (_, true) => "running",
            _ => "queued",
        };
        f.debug_struct("Job").field("state", &state).finish()
    }
}
