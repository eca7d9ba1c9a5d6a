//! Configuration of a pool.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{SpawnError, SystemError};
use crate::host::child::{SpawnOptions, StartMethod};
use crate::host::start;
use crate::process::cpu::cpu_count;
use crate::process::group::ProcessGroup;
use crate::process::limits::Limit;
use crate::task::Task;
use crate::wire::START_DEADLINE;
use crate::wire::attachments;
use crate::wire::marker;
use crate::wire::{Role, TaskName};

use crate::pool::Pool;
use crate::pool::progress::Progress;
use crate::pool::stats::PoolStats;

/// Upper bound of time limits, so that `now + limit` is a time that the clock can represent.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A task, its encoded arguments, and the descriptors in them.
type Initializer = (TaskName, (Vec<u8>, Arc<[OwnedFd]>));

/// Configuration of a [`Pool`]. Made by [`Pool::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing before build"]
pub struct PoolBuilder {
    workers: Option<usize>,
    /// The initializer, or its error, which `build` returns.
    initializer: Option<Result<Initializer, SpawnError>>,
    max_tasks: Option<usize>,
    task_timeout: Option<Duration>,
    retries: u32,
    idle_timeout: Option<Duration>,
    progress: Option<Progress>,
    start_deadline: Option<Duration>,
    queue_bound: Option<usize>,
    options: SpawnOptions,
}

/// The settings of a builder, checked and completed.
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
    /// Time limit from the start of a process to its call of `init`.
    pub(in crate::pool) start_deadline: Duration,
    pub(in crate::pool) queue_bound: Option<usize>,
    pub(in crate::pool) options: SpawnOptions,
    depth: u32,
}

impl PoolConfig {
    /// Returns the encoded handshake of a worker.
    pub(in crate::pool) fn handshake(&self, name: &str) -> Result<Vec<u8>, SystemError> {
        start::setup(
            name,
            self.depth,
            &self.options,
            [false; 3],
            Role::Pool(self.initializer.clone()),
        )
    }

    pub(in crate::pool) fn has_initializer(&self) -> bool {
        self.initializer.is_some()
    }

    /// Returns the time limit from the record `Ready` to `Initialized`. Without an initializer it is the start deadline.
    pub(in crate::pool) fn initializer_limit(&self) -> Option<Duration> {
        if self.initializer.is_some() {
            self.task_timeout
        } else {
            Some(self.start_deadline)
        }
    }
}

fn encode_initializer<T: Task>(args: &T::Args) -> Result<Initializer, SpawnError> {
    let mut encoded = Vec::new();
    // One of the descriptors is the journal's.
    let descriptors = attachments::encode(args, &mut encoded, attachments::LIMIT - 1)?;
    Ok((start::task_name::<T>()?, (encoded, descriptors.into())))
}

impl PoolBuilder {
    /// Sets the number of workers. Default: the number of usable CPUs ([`cpu_count`]).
    #[doc(alias = "max_workers")]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Runs a task in every worker before its first job, also in workers that replace others.
    ///
    /// The arguments may hold descriptors, such as a [`Connection`](crate::Connection), which the workers then share. The
    /// arguments of jobs may not. If the arguments cannot be encoded, [`build`](Self::build) fails.
    ///
    /// If the initializer panics or ends its worker five times in a row, the pool is broken: its jobs end in
    /// [`JobError::Broken`](crate::JobError::Broken). The error for an initializer that exits or is killed is
    /// [`StartError::InitializerDied`](crate::StartError::InitializerDied).
    pub fn initializer<T: Task<Output = ()>>(mut self, _task: T, args: T::Args) -> Self {
        self.initializer = Some(encode_initializer::<T>(&args));
        self
    }

    /// Replaces each worker after this many tasks, which bounds the memory that tasks leak. At least 1. Default: no limit.
    #[doc(alias = "maxtasksperchild")]
    #[doc(alias = "max_tasks_per_child")]
    pub fn max_tasks_per_worker(mut self, tasks: usize) -> Self {
        self.max_tasks = Some(tasks.max(1));
        self
    }

    /// Kills the worker of a task that runs longer than `time`. The task ends in
    /// [`JobError::TaskTimedOut`](crate::JobError::TaskTimedOut); other tasks are not affected. Default: no limit.
    ///
    /// The time is that of the function, from its call to its return. Transfers of arguments and results do not count while
    /// bytes move. A worker that makes no progress for this time is killed as well. That limit is at least 2 s for a transfer,
    /// 10 s while the worker decodes or encodes, and longer for large values. The initializer has the same limit.
    pub fn task_timeout(mut self, time: Duration) -> Self {
        self.task_timeout = Some(time.min(CENTURY));
        self
    }

    /// Runs a task again, up to this many times, when its worker died or was killed. Default: 0.
    ///
    /// Tasks must be repeatable: how far the first run came is unknown.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Stops workers that have been idle for `time`. New ones are started when there are tasks for them. Default: idle workers
    /// are not stopped.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time.min(CENTURY));
        self
    }

    /// Calls `callback` when tasks have ended: at most once per `every`, and once more when the pool ends.
    ///
    /// It is called on the pool's callback thread, outside every lock. Other callbacks wait for its return, at most for 10 ms.
    /// A panic in it is caught and ignored.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use std::time::{Duration, Instant};
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
    ///     let note = |stats: procs::PoolStats| DONE.store(stats.ended(), Relaxed);
    ///     let pool = Pool::builder().workers(2).progress(Duration::from_millis(100), note).build().unwrap();
    ///     pool.map_collect(square, 0..1000).unwrap();
    ///     pool.join();
    ///     assert_eq!(DONE.load(Relaxed), 1000);
    /// }
    /// ```
    pub fn progress(
        mut self,
        every: Duration,
        callback: impl Fn(PoolStats) + Send + Sync + 'static,
    ) -> Self {
        self.progress = Some(Progress::new(every, callback));
        self
    }

    /// Limits a resource of each worker. Several calls set several limits.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.options.limits.push(limit.into());
        self
    }

    /// Limits the time from the start of a worker until it calls [`init`](crate::init). Default: 10 s.
    pub fn start_deadline(mut self, time: Duration) -> Self {
        self.start_deadline = Some(time.min(CENTURY));
        self
    }

    /// Limits the number of tasks that wait for a worker. While the queue is full, [`Pool::submit`] blocks,
    /// [`Pool::try_submit`] returns the arguments, and [`Pool::submit_for`] waits for a limited time. At least 1.
    /// Default: no limit.
    pub fn queue_bound(mut self, tasks: usize) -> Self {
        self.queue_bound = Some(tasks.max(1));
        self
    }

    /// Sets the process group of the workers. Default: [`ProcessGroup::Own`], so that ctrl-c in a terminal does not reach
    /// the workers.
    ///
    /// ```
    /// use procs::{Pool, ProcessGroup};
    ///
    /// #[procs::task]
    /// fn group() -> String {
    ///     // The fifth field of the line is the process group.
    ///     let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    ///     let (_, fields) = stat.rsplit_once(") ").unwrap();
    ///     fields.split(' ').nth(2).unwrap().to_owned()
    /// }
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let pool = Pool::builder().workers(1).process_group(ProcessGroup::Inherit).build().unwrap();
    ///     assert_eq!(pool.apply(group, ()).unwrap(), group());
    /// }
    /// ```
    ///
    /// [`build`](Self::build) fails with [`SpawnError::System`] when the group has no number here, because its leader
    /// is outside this process-id namespace.
    #[doc(alias = "setpgid")]
    pub fn process_group(mut self, group: ProcessGroup) -> Self {
        self.options.group = group;
        self
    }

    /// Selects how workers are started. Default: from the fork server.
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
        self.build_by(None)
    }

    /// Starts the pool, but waits no longer than `time` for its workers.
    ///
    /// # Errors
    ///
    /// [`SpawnError::TimedOut`] when not all workers have called [`init`](crate::init) by then; they are killed. Otherwise as
    /// [`build`](Self::build).
    pub fn build_for(self, time: Duration) -> Result<Pool, SpawnError> {
        self.build_by(Instant::now().checked_add(time))
    }

    fn build_by(self, deadline: Option<Instant>) -> Result<Pool, SpawnError> {
        let depth = marker::check_can_spawn()?;
        self.options.check()?;
        let workers = self.workers.unwrap_or_else(cpu_count);
        if workers == 0 {
            return Err(SpawnError::NoWorkers);
        }
        let (initializer, args) = self.initializer.transpose()?.unzip();
        let (initializer_args, descriptors) = args.unwrap_or_else(|| (Vec::new(), Arc::new([])));
        let config = PoolConfig {
            workers,
            initializer,
            initializer_args,
            descriptors,
            max_tasks: self.max_tasks,
            task_timeout: self.task_timeout,
            retries: self.retries,
            idle_timeout: self.idle_timeout,
            progress: self.progress,
            start_deadline: self.start_deadline.unwrap_or(START_DEADLINE),
            queue_bound: self.queue_bound,
            options: self.options,
            depth,
        };
        Pool::start(config, deadline)
    }
}
