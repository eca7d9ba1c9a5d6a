//! Pool: worker processes that run submitted tasks.
//!
//! `README.md` beside this file shows the life of a task, the locks, and how a pool starts and ends.

mod builder;
mod callbacks;
mod job;
mod progress;
mod shared;
mod stats;
mod supervisor;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{JobError, SpawnError, SubmitError, SystemError, TimedOut};
use crate::process::info::ProcessInfo;
use crate::task::{self, Task};

pub use builder::PoolBuilder;
pub(crate) use builder::PoolConfig;
pub use job::{AsCompleted, Imap, Job, WaitFor, as_completed, wait, wait_for};
pub use stats::PoolStats;

use job::JobState;
use job::batch::BatchSlice;
use job::{batch, map};
use shared::{Refused, Shared, Stop};
use supervisor::Supervisor;
use supervisor::caller_runs::DriverLock;

/// Longest time for which a drop waits for killed workers. Only a process that the kernel cannot end takes longer.
const DROP_LIMIT: Duration = Duration::from_secs(2);

/// Mode of a pool's shutdown. See [`Pool::shutdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shutdown {
    /// Runs all submitted jobs.
    Wait,
    /// Cancels the jobs that no worker has begun, and waits for the others.
    CancelPending,
    /// Ends the workers now: by SIGTERM and, 0.2 seconds later, by SIGKILL.
    Terminate,
}

/// Worker processes that run tasks.
///
/// When a worker dies, only the task that it was running is lost: its job ends in [`JobError::WorkerDied`]. Tasks that waited
/// behind it go to other workers, and a new worker is started. A task that panics fails only its own job; its worker
/// continues. To stop a task, set a [`task_timeout`](PoolBuilder::task_timeout), or kill its worker, one of
/// [`workers`](Self::workers).
///
/// Dropping the pool kills its workers. Jobs that have not ended end in [`JobError::Closed`]. To let them finish, call
/// [`join`](Self::join) first.
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
///     let one = pool.submit(square, 11);
///     assert_eq!(pool.map_collect(square, [1, 2, 3]).unwrap(), [1, 4, 9]);
///     assert_eq!(one.result().unwrap(), 121);
/// }
/// ```
#[must_use = "a pool that is dropped kills its workers"]
#[doc(alias = "ProcessPoolExecutor")]
pub struct Pool {
    shared: Arc<Shared>,
    driver: Arc<DriverLock>,
    size: usize,
    supervisor: Option<thread::JoinHandle<()>>,
}

impl Pool {
    /// Starts a pool of this many workers.
    ///
    /// Returns when every worker has called [`init`](crate::init), so that errors of their start are reported here.
    ///
    /// # Errors
    ///
    /// When [`init`](crate::init) was not called, `workers` is 0, or the workers do not start.
    pub fn new(workers: usize) -> Result<Self, SpawnError> {
        Self::builder().workers(workers).build()
    }

    /// Returns a builder of a pool, for example with an initializer, limits or retries.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// #[procs::task]
    /// fn double(n: u64) -> u64 {
    ///     2 * n
    /// }
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let builder = procs::Pool::builder().workers(1).task_timeout(Duration::from_secs(5));
    ///     let pool = builder.build().unwrap();
    ///     assert_eq!(pool.apply(double, 4).unwrap(), 8);
    /// }
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    fn start(config: PoolConfig, deadline: Option<Instant>) -> Result<Self, SpawnError> {
        let size = config.workers;
        let shared = Arc::new(
            Shared::new(config.queue_bound)
                .map_err(SystemError::new("make an event descriptor"))?,
        );
        let supervisor = Supervisor::new(Arc::clone(&shared), config);
        let driver = Arc::new(DriverLock::new(Arc::clone(&shared), supervisor));
        let theirs = Arc::clone(&driver);
        let supervisor = thread::Builder::new()
            .name("procs-pool".to_owned())
            .spawn(move || theirs.supervise())
            .map_err(SystemError::new("start a pool's supervisor thread"))?;
        // On an error, the drop of this value kills the workers.
        let pool = Self {
            shared,
            driver,
            size,
            supervisor: Some(supervisor),
        };
        match pool.shared.await_ready(size, deadline) {
            Some(ready) => ready.map(|()| pool).map_err(SpawnError::from),
            None => Err(SpawnError::TimedOut),
        }
    }

    /// Submits a call. Returns at once, unless the pool has a [`queue_bound`](PoolBuilder::queue_bound) and the queue is full:
    /// then it blocks until there is room.
    ///
    /// Never fails: if the arguments cannot be encoded or the pool is closed, the job ends in that error.
    #[doc(alias = "apply_async")]
    pub fn submit<T: Task>(&self, _task: T, args: T::Args) -> Job<T::Output> {
        let state = JobState::new();
        if let Some(slice) = encode_call::<T>(&state, &args) {
            self.shared.submit(slice);
        }
        Job::new(state)
    }

    /// Submits a call, if the queue has room now.
    ///
    /// # Errors
    ///
    /// [`SubmitError::Full`] with the arguments.
    pub fn try_submit<T: Task>(
        &self,
        task: T,
        args: T::Args,
    ) -> Result<Job<T::Output>, SubmitError<T::Args>> {
        self.submit_by(task, args, Some(Instant::now()))
            .map_err(SubmitError::Full)
    }

    /// Submits a call. Blocks while the queue is full, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`SubmitError::TimedOut`] with the arguments.
    pub fn submit_for<T: Task>(
        &self,
        task: T,
        args: T::Args,
        time: Duration,
    ) -> Result<Job<T::Output>, SubmitError<T::Args>> {
        self.submit_by(task, args, Instant::now().checked_add(time))
            .map_err(SubmitError::TimedOut)
    }

    /// As [`submit_for`](Self::submit_for), until a point in time.
    ///
    /// # Errors
    ///
    /// As [`submit_for`](Self::submit_for).
    pub fn submit_until<T: Task>(
        &self,
        task: T,
        args: T::Args,
        deadline: Instant,
    ) -> Result<Job<T::Output>, SubmitError<T::Args>> {
        self.submit_by(task, args, Some(deadline))
            .map_err(SubmitError::TimedOut)
    }

    fn submit_by<T: Task>(
        &self,
        _task: T,
        args: T::Args,
        deadline: Option<Instant>,
    ) -> Result<Job<T::Output>, T::Args> {
        let state = JobState::new();
        if let Some(slice) = encode_call::<T>(&state, &args) {
            match self.shared.enqueue(slice, deadline) {
                Ok(()) => self.shared.notifier.wake(),
                Err(Refused::Closed) => {}
                Err(Refused::Full) => return Err(args),
            }
        }
        Ok(Job::new(state))
    }

    /// Runs one call in a worker and waits for its result.
    ///
    /// If the pool is idle, the calling thread drives it until the call has ended. That saves two wake-ups of the pool's
    /// thread.
    ///
    /// # Errors
    ///
    /// As [`Job::result`].
    pub fn apply<T: Task>(&self, _task: T, args: T::Args) -> Result<T::Output, JobError> {
        let state = JobState::new();
        if let Some(slice) = encode_call::<T>(&state, &args)
            && self.shared.enqueue(slice, None).is_ok()
        {
            self.driver.drive_until_done(&state);
        }
        Job::new(state).result()
    }

    /// Runs the task on every item, and returns the results lazily, in the order of the items.
    ///
    /// Nothing is submitted before the first call of `next`. From then on the input is read as far as the
    /// [window](Imap::window) allows. An item that fails gives an error in its place and does not stop the others.
    /// [`Imap::unordered`] returns results in the order in which they arrive, [`map_collect`](Self::map_collect) all at once.
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
    ///     let squares: Result<Vec<_>, _> = pool.map(square, 1..4).collect();
    ///     assert_eq!(squares.unwrap(), [1, 4, 9]);
    /// }
    /// ```
    #[doc(alias = "starmap")]
    #[doc(alias = "executor_map")]
    pub fn map<T: Task, I>(&self, _task: T, items: I) -> Imap<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = T::Args>,
    {
        Imap::new(self, items.into_iter(), self.window(), true)
    }

    /// Runs the task on every item and returns all results in the order of the items.
    ///
    /// All items are encoded at once. Use [`map`](Self::map) for more items than fit in memory.
    ///
    /// # Errors
    ///
    /// Returns the error of the first item that failed, in the order of the items. All items are run, also after one fails.
    #[doc(alias = "starmap")]
    #[doc(alias = "map_async")]
    pub fn map_collect<T: Task>(
        &self,
        _task: T,
        items: impl IntoIterator<Item = T::Args>,
    ) -> Result<Vec<T::Output>, JobError> {
        map::map::<T>(self, items, None)
    }

    /// As [`map_collect`](Self::map_collect), but waits for the results no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`JobError::TimedOut`] when some have not arrived by then. The tasks continue, and their results are lost.
    pub fn map_collect_for<T: Task>(
        &self,
        _task: T,
        items: impl IntoIterator<Item = T::Args>,
        time: Duration,
    ) -> Result<Vec<T::Output>, JobError> {
        map::map::<T>(self, items, Instant::now().checked_add(time))
    }

    /// As [`map`](Self::map), but the first items are submitted at once: one for each worker.
    ///
    /// The rest of the window is submitted with the first call of `next`.
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
    ///     let squares = pool.imap(square, 1..).map(Result::unwrap);
    ///     assert_eq!(squares.take_while(|n| *n < 50).collect::<Vec<_>>(), [1, 4, 9, 16, 25, 36, 49]);
    /// }
    /// ```
    pub fn imap<T: Task, I>(&self, _task: T, items: I) -> Imap<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = T::Args>,
    {
        Imap::new(self, items.into_iter(), self.window(), true).begin(self.size)
    }

    /// As [`imap`](Self::imap), but returns results in the order in which they arrive: a slow call delays no other result.
    pub fn imap_unordered<T: Task, I>(&self, _task: T, items: I) -> Imap<'_, T, I::IntoIter>
    where
        I: IntoIterator<Item = T::Args>,
    {
        Imap::new(self, items.into_iter(), self.window(), false).begin(self.size)
    }

    fn window(&self) -> usize {
        (2 * self.size).max(64)
    }

    /// Submits items. Blocks while the queue is full.
    fn submit_slice(&self, slice: BatchSlice) {
        self.shared.submit(slice);
    }

    /// Returns the running workers.
    pub fn workers(&self) -> Vec<ProcessInfo> {
        self.shared.workers()
    }

    /// Returns the counters of the pool since its start.
    ///
    /// ```
    /// #[procs::task]
    /// fn half(n: u32) -> u32 {
    ///     assert!(n % 2 == 0, "odd");
    ///     n / 2
    /// }
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let pool = procs::Pool::new(2).unwrap();
    ///     assert!(pool.map_collect(half, 0..10).is_err());
    ///     let stats = pool.stats();
    ///     assert_eq!((stats.completed, stats.failed, stats.started), (5, 5, 2));
    /// }
    /// ```
    pub fn stats(&self) -> PoolStats {
        self.shared.counters.stats()
    }

    /// Closes the pool. Submitted jobs still run, and then the workers exit. Jobs submitted later end in
    /// [`JobError::Closed`].
    ///
    /// Closing a closed pool has no effect.
    pub fn close(&self) {
        self.shared.stop(Stop::WhenDone);
    }

    /// Returns whether the pool is closed.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Closes the pool, and waits until every job has ended, every worker is gone, and every callback has returned.
    ///
    /// In a callback it does not wait for callbacks of this pool, nor for those of a pool whose callbacks wait for this one:
    /// such a wait would have no end.
    pub fn join(&self) {
        self.close();
        self.shared.await_end(None);
    }

    /// Closes the pool, and waits for its end, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when jobs are still running. They continue.
    pub fn join_for(&self, time: Duration) -> Result<(), TimedOut> {
        self.close();
        self.ended_for(time)
    }

    /// Kills the workers, and waits at most 2 seconds for their end. Jobs that have not ended end in [`JobError::Closed`].
    pub fn terminate(&self) {
        self.shared.stop(Stop::Kill);
        let _ = self.ended_for(DROP_LIMIT);
    }

    /// Closes the pool, and waits for its end, but no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`join_for`](Self::join_for).
    pub fn join_until(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.close();
        self.ended_by(Some(deadline))
    }

    /// Shuts the pool down, and waits until every job and every worker has ended.
    ///
    /// | `how` | jobs that wait | jobs that run |
    /// |---|---|---|
    /// | [`Shutdown::Wait`] | are run | finish |
    /// | [`Shutdown::CancelPending`] | end in [`JobError::Cancelled`] | finish |
    /// | [`Shutdown::Terminate`] | end in [`JobError::Closed`] | end in [`JobError::Closed`]: SIGTERM, and SIGKILL after 0.2 s |
    ///
    /// Of several calls the one with the lowest row in the table wins.
    pub fn shutdown(&self, how: Shutdown) {
        self.begin_shutdown(how);
        self.shared.await_end(None);
    }

    /// As [`shutdown`](Self::shutdown), but waits no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when the pool has not ended by then. The shutdown continues.
    pub fn shutdown_for(&self, how: Shutdown, time: Duration) -> Result<(), TimedOut> {
        self.begin_shutdown(how);
        self.ended_for(time)
    }

    fn begin_shutdown(&self, how: Shutdown) {
        self.shared.stop(match how {
            Shutdown::Wait => Stop::WhenDone,
            Shutdown::CancelPending => Stop::CancelPending,
            Shutdown::Terminate => Stop::Terminate,
        });
    }

    fn ended_for(&self, time: Duration) -> Result<(), TimedOut> {
        self.ended_by(Instant::now().checked_add(time))
    }

    fn ended_by(&self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        if self.shared.await_end(deadline) {
            Ok(())
        } else {
            Err(TimedOut)
        }
    }
}

/// Encodes one call. `None`: the arguments cannot be encoded, and the job has ended in that error.
fn encode_call<T: Task>(state: &Arc<JobState>, args: &T::Args) -> Option<BatchSlice> {
    let mut items = Vec::new();
    if let Err(error) = batch::put_item(&mut items, args) {
        state.complete(Err(JobError::Encode(error)));
        return None;
    }
    Some(BatchSlice::new(
        task::id_of::<T>(),
        items,
        0,
        1,
        Arc::clone(state) as _,
    ))
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size)
            .field("workers", &self.workers())
            .field("stats", &self.stats())
            .field("ended", &self.shared.has_ended())
            .finish()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.terminate();
        if let Some(supervisor) = self.supervisor.take()
            && self.shared.has_ended()
            && supervisor.thread().id() != thread::current().id()
        {
            // A supervisor that panicked has failed its jobs while it unwound. The payload is not needed.
            let _ = supervisor.join();
        }
    }
}
