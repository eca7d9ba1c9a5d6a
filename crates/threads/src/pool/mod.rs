//! Threads that run submitted functions.

mod builder;
mod completion;
mod core;
mod fork_join;
mod group;
mod idle;
mod job;
mod map;
mod promise;
mod room;
mod scope;
mod spawn;
mod task;
#[cfg(test)]
mod visits;

pub use builder::PoolBuilder;
pub use group::{AsCompleted, WaitFor, as_completed, wait, wait_for, wait_until};
pub use job::Job;
pub use map::{Map, MapChunks, MapUnordered};
pub use promise::{Promise, promise};
pub use scope::{PoolScope, ScopedJob};
pub use task::JobEnd;

use crate::error::{JobError, SpawnError, SubmitError, TimedOut};
use crate::park::deadline;
use crate::thread::ThreadInfo;
use core::Core;
use room::{Full, Permit};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};
#[cfg(loom)]
pub(crate) use task::{Runnable, task as new_task};

/// How a pool is ended. See [`Pool::shutdown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// Runs everything that was submitted.
    Wait,
    /// Cancels the jobs that have not started, and waits for the others.
    CancelPending,
    /// Refuses the jobs that have not started. A thread cannot be ended from outside, so running jobs go on, and
    /// [`Pool::shutdown`] does not wait for them.
    Terminate,
}

/// Threads that run submitted functions, oldest first.
///
/// A `Pool` is a handle: clones share one pool. A panic fails only the job that panicked.
///
/// Dropping the last handle shuts the pool down by [`Shutdown::Wait`], as the end of Python's `with` block does.
/// The drop therefore blocks until all jobs have ended, without a limit, since a thread cannot be ended from
/// outside. Call [`shutdown_for`](Self::shutdown_for) first for a wait with a time limit: the drop of a closed
/// pool does not wait. Neither does a drop by one of the pool's own workers.
///
/// # Examples
///
/// ```
/// let pool = threads::Pool::new(4)?;
/// let jobs: Vec<_> = (1..=3).map(|n| pool.submit(move || n * n)).collect();
/// let squares = jobs.into_iter().map(|job| job.result()).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "dropping the last handle ends the pool"]
#[doc(alias = "ThreadPoolExecutor")]
#[doc(alias = "ThreadPool")]
pub struct Pool {
    owner: Arc<Owner>,
}

struct Owner {
    core: Arc<Core>,
}

impl Pool {
    /// Starts a pool of `workers` threads.
    ///
    /// # Errors
    /// [`SpawnError`], if `workers` is 0 or more than 8,192, or if the system refuses a thread.
    pub fn new(workers: usize) -> Result<Self, SpawnError> {
        Self::builder().workers(workers).build()
    }

    /// Returns a builder, for a pool with a name, hooks or bounds.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::builder().workers(1).name("render").build()?;
    /// let name = pool.submit(|| threads::current().name().to_owned());
    /// assert_eq!(name.result()?, "render-0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// Submits `f`. Blocks only while a [queue bound](PoolBuilder::queue_bound) is reached and the caller is none
    /// of the pool's workers.
    ///
    /// It never fails: what prevents the job from running is its result's error,
    /// [`JobError::Closed`] after a shutdown.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{JobError, Pool};
    ///
    /// let pool = Pool::new(1)?;
    /// assert_eq!(pool.submit(|| 1 + 1).result()?, 2);
    /// pool.close();
    /// assert!(matches!(pool.submit(|| 3).result(), Err(JobError::Closed)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    #[doc(alias = "execute")]
    #[doc(alias = "spawn")]
    #[doc(alias = "apply_async")]
    pub fn submit<F, T>(&self, f: F) -> Job<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Without a deadline it ends with room.
        let room = self.reserve(|| None).ok().flatten();
        self.push(f, room)
    }

    /// Submits `f` if the pool's queue has room at this moment.
    ///
    /// # Errors
    /// [`SubmitError::Full`] with `f`.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{Event, Pool, SubmitError};
    /// use std::sync::Arc;
    ///
    /// let pool = Pool::builder().workers(1).queue_bound(1).build()?;
    /// let gate = Arc::new(Event::new());
    /// let (opened, also) = (gate.clone(), gate.clone());
    /// let running = pool.submit(move || drop(opened.wait()));
    /// while !running.is_running() {
    ///     std::thread::yield_now();
    /// }
    /// let queued = pool.submit(move || drop(also.wait()));
    /// assert!(matches!(pool.try_submit(|| 1), Err(SubmitError::Full(_))));
    /// gate.set();
    /// running.result()?;
    /// queued.result()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_submit<F, T>(&self, f: F) -> Result<Job<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.reserve(|| Some(Instant::now())) {
            Ok(room) => Ok(self.push(f, room)),
            Err(Full) => Err(SubmitError::Full(f)),
        }
    }

    /// Submits `f`. Waits for room in the pool's queue for at most `timeout`.
    ///
    /// # Errors
    /// [`SubmitError::TimedOut`] with `f`.
    pub fn submit_for<F, T>(&self, f: F, timeout: Duration) -> Result<Job<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_by(f, || deadline(timeout))
    }

    /// Submits `f`. Waits for room in the pool's queue until `deadline`.
    ///
    /// # Errors
    /// As [`submit_for`](Self::submit_for).
    pub fn submit_until<F, T>(&self, f: F, deadline: Instant) -> Result<Job<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_by(f, || Some(deadline))
    }

    fn submit_by<F, T>(
        &self,
        f: F,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<Job<T>, SubmitError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.reserve(deadline) {
            Ok(room) => Ok(self.push(f, room)),
            Err(Full) => Err(SubmitError::TimedOut(f)),
        }
    }

    /// Takes a place in the queue, as [`push`](Self::push) needs it.
    #[inline]
    fn reserve(&self, deadline: impl FnOnce() -> Option<Instant>) -> Result<Option<Permit>, Full> {
        self.owner.core.reserve(deadline)
    }

    #[inline]
    fn push<F, T>(&self, f: F, room: Option<Permit>) -> Job<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let core = &self.owner.core;
        let (task, handle) = task::task(f, core.id(), room);
        core.submit(task);
        Job::new(handle)
    }

    fn is_own_worker(&self) -> bool {
        self.owner.core.is_own_worker()
    }

    /// Runs `f` in a worker and waits for its result.
    ///
    /// # Errors
    /// As [`Job::result`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::builder().workers(1).name("render").build()?;
    /// assert_eq!(pool.apply(|| threads::current().name().to_owned())?, "render-0");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "install")]
    pub fn apply<F, T>(&self, f: F) -> Result<T, JobError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit(f).result()
    }

    /// Applies `f` to each item, and returns the results lazily, in the order of the items.
    ///
    /// Nothing is submitted before the first result is asked for; then the input is read as far as the
    /// [window](Map::window) allows. [`Map::unordered`] and [`Map::chunks`] are other forms of it, and
    /// [`map_collect`](Self::map_collect) returns all results at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let lengths = pool.map(str::len, ["one", "three"]);
    /// assert_eq!(lengths.collect::<Result<Vec<_>, _>>()?, [3, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "imap")]
    #[doc(alias = "par_iter")]
    pub fn map<I, F, R>(&self, f: F, items: I) -> Map<I::IntoIter, F, R>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        R: Send + 'static,
    {
        Map::new(self.clone(), f, items.into_iter())
    }

    /// Applies `f` to each item, and returns all results in the order of the items.
    ///
    /// All items are read and submitted at once, several to a job if there are more than four for each worker. Use
    /// [`map`](Self::map) for more than fits in memory.
    ///
    /// # Errors
    /// The error of the first item that failed. All items are run nevertheless.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// assert_eq!(pool.map_collect(|n| n * n, [1, 2, 3])?, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "starmap")]
    pub fn map_collect<I, F, R>(&self, f: F, items: I) -> Result<Vec<R>, JobError>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        R: Send + 'static,
    {
        map::collect(self, f, items, None)
    }

    /// As [`map_collect`](Self::map_collect), but waits for the results for at most `timeout`.
    ///
    /// # Errors
    /// [`JobError::TimedOut`], if some were not ready by then; the jobs go on, and their results are lost.
    pub fn map_collect_for<I, F, R>(
        &self,
        f: F,
        items: I,
        timeout: Duration,
    ) -> Result<Vec<R>, JobError>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        R: Send + 'static,
    {
        map::collect(self, f, items, deadline(timeout))
    }

    /// Returns the workers' threads that have not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(3)?;
    /// assert_eq!(pool.workers().len(), 3);
    /// # Ok::<(), threads::SpawnError>(())
    /// ```
    #[must_use]
    pub fn workers(&self) -> Vec<ThreadInfo> {
        self.owner.core.map_threads(|thread| thread.info().clone())
    }

    /// Returns the greatest number of workers, as set by [`PoolBuilder::workers`].
    #[must_use]
    pub fn max_workers(&self) -> usize {
        self.owner.core.settings().workers
    }

    /// Returns the pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.owner.core.settings().name
    }

    /// Takes no more jobs. Jobs that were submitted still run; then the workers end. Does not wait.
    ///
    /// Closing twice is the same as once. Jobs submitted later end in [`JobError::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(1)?;
    /// let last = pool.submit(|| 1);
    /// pool.close();
    /// assert!(pool.is_closed());
    /// assert_eq!(last.result()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        self.owner.core.close();
    }

    /// Whether the pool takes no more jobs.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.owner.core.is_closed()
    }

    /// Closes the pool, and waits until every job has ended and every worker is gone.
    ///
    /// Afterwards no code of the pool runs: hooks have returned and the workers' thread-local values are dropped.
    /// Called by one of the pool's own workers it does not wait, since the caller's job would wait for itself.
    pub fn join(&self) {
        self.shutdown(Shutdown::Wait);
    }

    /// Closes the pool, and waits for its end for at most `timeout`.
    ///
    /// # Errors
    /// [`TimedOut`], if the pool has not ended by then, or if the caller is one of its workers. Its end goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = threads::Pool::new(1)?;
    /// pool.join_for(Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_for(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.shutdown_for(Shutdown::Wait, timeout)
    }

    /// Closes the pool, and waits for its end until `deadline`.
    ///
    /// # Errors
    /// As [`join_for`](Self::join_for).
    pub fn join_until(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.owner.end(Shutdown::Wait);
        self.owner.wait_ended(Some(deadline))
    }

    /// Ends the pool.
    ///
    /// | `how` | jobs that have not started | jobs that run | waits for them |
    /// |---|---|---|---|
    /// | [`Shutdown::Wait`] | are done | are done | yes |
    /// | [`Shutdown::CancelPending`] | end in [`JobError::Cancelled`] | are done | yes |
    /// | [`Shutdown::Terminate`] | end in [`JobError::Closed`] | go on | no |
    ///
    /// A later call may overrule an earlier one by a row further down. Called by one of the pool's own workers it
    /// does not wait, since the caller's job would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{Pool, PoolShutdown};
    ///
    /// let pool = Pool::new(2)?;
    /// let job = pool.submit(|| 1);
    /// pool.shutdown(PoolShutdown::Wait);
    /// assert!(job.is_done());
    /// # Ok::<(), threads::SpawnError>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) {
        self.owner.shutdown(how);
    }

    /// As [`shutdown`](Self::shutdown), but waits for at most `timeout`, with [`Shutdown::Terminate`] as well.
    ///
    /// # Errors
    /// [`TimedOut`], if the pool has not ended by then, or if the caller is one of its workers. Its end goes on.
    pub fn shutdown_for(&self, how: Shutdown, timeout: Duration) -> Result<(), TimedOut> {
        self.owner.end(how);
        self.owner.wait_ended(deadline(timeout))
    }
}

impl Owner {
    /// Takes no more jobs, and does with those that have not started as `how` says.
    fn end(&self, how: Shutdown) {
        self.core.close();
        match how {
            Shutdown::Wait => {}
            Shutdown::CancelPending => self.core.refuse_queued(|| JobError::Cancelled),
            Shutdown::Terminate => self.core.refuse_queued(|| JobError::Closed),
        }
    }

    fn wait_ended(&self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        // An own worker would wait for itself.
        let ended = !self.core.is_own_worker() && self.core.wait_ended(deadline);
        ended.then_some(()).ok_or(TimedOut)
    }

    fn shutdown(&self, how: Shutdown) {
        self.end(how);
        if how != Shutdown::Terminate {
            // Without a deadline it ends, but for an own worker, which does not wait.
            let _ = self.wait_ended(None);
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.core.is_closed() {
            self.shutdown(Shutdown::Wait);
        }
    }
}

/// The state of a pool is right after a panic of user code.
impl UnwindSafe for Pool {}
impl RefUnwindSafe for Pool {}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("workers", &self.max_workers())
            .field("closed", &self.is_closed())
            .finish()
    }
}
