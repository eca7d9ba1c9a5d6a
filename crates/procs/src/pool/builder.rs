//! How a pool is to be.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{SpawnError, SystemError};
use crate::host::start::{self, SpawnOptions, StartMethod};
use crate::process::cpu::cpu_count;
use crate::process::limits::Limit;
use crate::task::Task;
use crate::wire::START_DEADLINE;
use crate::wire::attachments;
use crate::wire::marker;
use crate::wire::{Role, TaskName};

use crate::pool::Pool;
use crate::pool::progress::Progress;
use crate::pool::stats::PoolStats;

/// As good as no limit, and still a point in time that the clock can express.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A task, its encoded arguments, and the descriptors in them.
type Initializer = (TaskName, (Vec<u8>, Arc<[OwnedFd]>));

/// How a pool is to be. Made by [`Pool::builder`].
#[derive(Clone, Debug, Default)]
pub struct PoolBuilder {
    workers: Option<usize>,
    initializer: Option<Initializer>,
    max_tasks: Option<usize>,
    task_timeout: Option<Duration>,
    retries: u32,
    idle_timeout: Option<Duration>,
    progress: Option<Progress>,
    options: SpawnOptions,
}

/// A builder's wishes, checked and completed.
#[derive(Debug)]
pub(crate) struct PoolConfig {
    pub(in crate::pool) workers: usize,
    initializer: Option<TaskName>,
    pub(in crate::pool) initializer_args: Vec<u8>,
    /// The descriptors in the initializer's arguments.
    pub(in crate::pool) descriptors: Arc<[OwnedFd]>,
    pub(in crate::pool) max_tasks: Option<usize>,
    pub(in crate::pool) task_timeout: Option<Duration>,
    pub(in crate::pool) retries: u32,
    pub(in crate::pool) idle_timeout: Option<Duration>,
    pub(in crate::pool) progress: Option<Progress>,
    pub(in crate::pool) options: SpawnOptions,
    depth: u32,
}

impl PoolConfig {
    /// The first bytes to a worker.
    pub(in crate::pool) fn greeting(&self, name: &str) -> Result<Vec<u8>, SystemError> {
        start::setup(
            name,
            self.depth,
            &self.options,
            [false; 3],
            Role::Pool(self.initializer.clone()),
        )
    }

    /// How long a worker may take for its initializer. One that has none takes its first task at once, or was stopped.
    pub(in crate::pool) fn initializer_limit(&self) -> Option<Duration> {
        if self.initializer.is_some() {
            self.task_timeout
        } else {
            Some(START_DEADLINE)
        }
    }
}

impl PoolBuilder {
    /// How many workers; as many as there are usable CPUs ([`cpu_count`]) if this is not called.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Runs a task in every worker before its first job, also in workers that replace dead ones.
    ///
    /// What holds a descriptor, such as a [`Connection`](crate::Connection), can be among the arguments: the workers then
    /// share it. (The arguments of jobs cannot hold descriptors.)
    ///
    /// An initializer that panics, or kills its worker, five times in a row breaks the pool: its jobs end in
    /// [`JobError::Broken`](crate::JobError::Broken).
    ///
    /// # Errors
    ///
    /// When the arguments cannot be encoded.
    pub fn initializer<T: Task<Output = ()>>(
        mut self,
        _task: T,
        args: T::Args,
    ) -> Result<Self, SpawnError> {
        let mut encoded = Vec::new();
        // One place is the worker's page's.
        let descriptors = attachments::encode(&args, &mut encoded, attachments::LIMIT - 1)?;
        self.initializer = Some((start::name_of::<T>()?, (encoded, descriptors.into())));
        Ok(self)
    }

    /// Replaces a worker by a new one after this many tasks (at least 1): a remedy for code that leaks.
    #[must_use]
    pub fn max_tasks_per_worker(mut self, tasks: usize) -> Self {
        self.max_tasks = Some(tasks.max(1));
        self
    }

    /// Kills the worker of a task that runs longer than this; the task ends in
    /// [`JobError::TaskTimedOut`](crate::JobError::TaskTimedOut), others are not affected. It is the limit of the
    /// initializer too.
    #[must_use]
    pub fn task_timeout(mut self, time: Duration) -> Self {
        self.task_timeout = Some(time.min(CENTURY));
        self
    }

    /// Runs a task again, up to this many times, when its worker died or was killed. For tasks that may be repeated:
    /// nobody knows how far they came.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Lets a worker end that has had nothing to do for so long; others are started when there is work for them. Without
    /// this, all workers stay.
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time.min(CENTURY));
        self
    }

    /// Calls `tell` when tasks have ended: not more often than `every`, and once more when the pool ends.
    ///
    /// It is called on a thread of the pool, or on one that waits in [`Pool::apply`], which does nothing else meanwhile:
    /// print a line or set a number, and leave it at that. A panic in it is caught.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use std::time::Duration;
    ///
    /// use procs::Pool;
    ///
    /// static DONE: AtomicU64 = AtomicU64::new(0);
    ///
    /// #[procs::task]
    /// fn square(n: u64) -> u64 {
    ///     n * n
    /// }
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let tell = |stats: procs::PoolStats| DONE.store(stats.ended(), Relaxed);
    ///     let pool = Pool::builder().workers(2).progress(Duration::from_millis(100), tell).build().unwrap();
    ///     pool.map(square, 0..1000).unwrap();
    ///     pool.join();
    ///     assert_eq!(DONE.load(Relaxed), 1000);
    /// }
    /// ```
    #[must_use]
    pub fn progress(
        mut self,
        every: Duration,
        tell: impl Fn(PoolStats) + Send + Sync + 'static,
    ) -> Self {
        self.progress = Some(Progress::new(every, tell));
        self
    }

    /// Sets a limit to what each worker may use; several calls set several limits.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.options.limits.push(limit.into());
        self
    }

    /// How the workers come to be: from the fork server, if this is not called.
    #[must_use]
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.options.method = method;
        self
    }

    /// Starts the pool.
    ///
    /// # Errors
    ///
    /// As [`Pool::new`].
    pub fn build(self) -> Result<Pool, SpawnError> {
        let depth = marker::permit()?;
        let workers = self.workers.unwrap_or_else(cpu_count);
        if workers == 0 {
            return Err(SpawnError::NoWorkers);
        }
        let (initializer, args) = self.initializer.unzip();
        let (initializer_args, descriptors) = args.unwrap_or_else(|| (Vec::new(), Arc::new([])));
        Pool::start(PoolConfig {
            workers,
            initializer,
            initializer_args,
            descriptors,
            max_tasks: self.max_tasks,
            task_timeout: self.task_timeout,
            retries: self.retries,
            idle_timeout: self.idle_timeout,
            progress: self.progress,
            options: self.options,
            depth,
        })
    }
}
