//! A fixed set of threads that run submitted functions.

mod as_completed;
mod builder;
mod chunks;
mod idle;
mod job;
mod join;
mod map;
mod scope;
mod spawn;
mod task;
mod unordered;
mod wait;
mod worker;

pub use as_completed::{AsCompleted, as_completed};
pub use builder::PoolBuilder;
pub use chunks::MapChunks;
pub use job::Job;
pub use map::Map;
pub use scope::{PoolScope, ScopedJob};
pub use task::JobEnd;
pub use unordered::MapUnordered;
pub use wait::{WaitFor, wait, wait_for};

use crate::error::{PutError, SpawnError, TimedOut};
use crate::park::deadline;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
#[cfg(loom)]
pub(crate) use task::Runnable;
pub(crate) use task::Task;
use worker::Core;

/// What happens to the jobs of a pool that is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolShutdown {
    /// Wait until the queued and the running jobs are done.
    Wait,
    /// Let the workers finish them alone; do not wait.
    Detach,
    /// Cancel the queued jobs and wait for the running ones.
    CancelQueued,
}

/// Threads that run submitted functions, oldest first.
///
/// A `Pool` is a handle: clones share one pool. When the last handle is dropped, the pool is shut down as
/// by [`PoolShutdown::Wait`], as at the end of Python's `with` block; dropped by one of its own workers,
/// as by [`PoolShutdown::Detach`]. A panic fails only the job that panicked.
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
pub struct Pool {
    owner: Arc<Owner>,
}

struct Owner {
    core: Arc<Core>,
}

impl Pool {
    /// Starts a pool of `workers` threads, at least one.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses a thread.
    pub fn new(workers: usize) -> Result<Self, SpawnError> {
        Self::builder().workers(workers).build()
    }

    /// Describes a pool before it starts.
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

    /// Hands `f` to the workers. It never fails: what prevents the job from running is its result's error,
    /// [`JobError::Closed`](crate::JobError::Closed) after a shutdown.
    ///
    /// It waits only if the pool was made with a [queue bound](PoolBuilder::queue_bound) and the caller is
    /// none of its workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{JobError, Pool, PoolShutdown};
    ///
    /// let pool = Pool::new(1)?;
    /// assert_eq!(pool.submit(|| 1 + 1).result()?, 2);
    /// pool.shutdown(PoolShutdown::Wait);
    /// assert!(matches!(pool.submit(|| 3).result(), Err(JobError::Closed)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn submit<F, T>(&self, f: F) -> Job<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Without a deadline it ends with room.
        self.owner.core.reserve(|| None);
        self.push(f)
    }

    /// Hands `f` to the workers if the pool's queue has room at this moment.
    ///
    /// # Errors
    /// [`PutError::Full`] with `f`.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{Event, Pool, PutError};
    /// use std::sync::Arc;
    ///
    /// let pool = Pool::builder().workers(1).queue_bound(1).build()?;
    /// let gate = Arc::new(Event::new());
    /// let (opened, also) = (gate.clone(), gate.clone());
    /// let running = pool.submit(move || opened.wait());
    /// while !running.is_running() {
    ///     std::thread::yield_now();
    /// }
    /// let queued = pool.submit(move || also.wait());
    /// assert!(matches!(pool.try_submit(|| 1), Err(PutError::Full(_))));
    /// gate.set();
    /// running.result()?;
    /// queued.result()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_submit<F, T>(&self, f: F) -> Result<Job<T>, PutError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.owner.core.reserve(|| Some(Instant::now())) {
            true => Ok(self.push(f)),
            false => Err(PutError::Full(f)),
        }
    }

    /// Hands `f` to the workers, waiting for room in the pool's queue for at most `timeout`.
    ///
    /// # Errors
    /// [`PutError::TimedOut`] with `f`.
    pub fn submit_for<F, T>(&self, f: F, timeout: Duration) -> Result<Job<T>, PutError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        match self.owner.core.reserve(|| deadline(timeout)) {
            true => Ok(self.push(f)),
            false => Err(PutError::TimedOut(f)),
        }
    }

    #[inline]
    fn push<F, T>(&self, f: F) -> Job<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let core = &self.owner.core;
        let task = Arc::new(Task::new(f, core.id()));
        let job = Job::new(task.clone());
        core.submit(task);
        job
    }

    /// Applies `f` to each item in the pool; the results come in the order of the items.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let lengths = pool.map(|word: &str| word.len(), ["one", "three"]);
    /// assert_eq!(lengths.collect::<Result<Vec<_>, _>>()?, [3, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<I, F, R>(&self, f: F, items: I) -> Map<I::IntoIter, F, R>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        R: Send + 'static,
    {
        Map::new(self.clone(), f, items.into_iter())
    }

    /// The number of workers, at most.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.owner.core.settings().workers
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.owner.core.settings().name
    }

    /// Takes no more jobs and does with those it has as `how` says. Shutting down again is allowed.
    ///
    /// Called by one of the pool's own workers it does not wait, since the caller's job would wait for
    /// itself.
    pub fn shutdown(&self, how: PoolShutdown) {
        self.owner.shutdown(how);
    }

    /// Waits for at most `timeout` until a pool that was shut down has ended its last job.
    ///
    /// # Errors
    /// [`TimedOut`], if a job still runs or the pool was not shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{Pool, PoolShutdown};
    ///
    /// let pool = Pool::new(1)?;
    /// pool.shutdown(PoolShutdown::Detach);
    /// pool.join_for(Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_for(&self, timeout: Duration) -> Result<(), TimedOut> {
        let ended = self.owner.core.wait_ended(deadline(timeout));
        ended.then_some(()).ok_or(TimedOut)
    }
}

impl Owner {
    fn shutdown(&self, how: PoolShutdown) {
        self.core.close();
        if how == PoolShutdown::CancelQueued {
            self.core.refuse_queued(|| crate::JobError::Cancelled);
        }
        let own_worker = worker::current_pool() == Some(self.core.id());
        if how != PoolShutdown::Detach && !own_worker {
            self.core.wait_ended(None);
            self.core.reap();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let detached = self.core.is_closed();
        self.shutdown(if detached {
            PoolShutdown::Detach
        } else {
            PoolShutdown::Wait
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("workers", &self.workers())
            .field("closed", &self.owner.core.is_closed())
            .finish()
    }
}
