//! Configuration of a pool.

use super::core::{Core, Hook, Settings};
use super::{Owner, Pool};
use crate::error::SpawnError;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Configuration of a [`Pool`]. Made by [`Pool::builder`].
#[derive(Clone, Default)]
#[must_use = "a builder does nothing before build"]
pub struct PoolBuilder {
    workers: Option<usize>,
    name: Option<String>,
    queue_bound: Option<usize>,
    idle_timeout: Option<Duration>,
    stack_size: Option<usize>,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
}

/// Upper bound of the number of workers. With Linux's default limits about 16,000 threads can be started; beyond
/// that std aborts the process, since it cannot map the stack of a thread's signal handler.
const MAX_WORKERS: usize = 1 << 13;

static NEXT_NAME: AtomicUsize = AtomicUsize::new(1);

impl PoolBuilder {
    /// Sets the number of workers, from 1 to 8,192. Default: one for each processor that the process may use.
    ///
    /// They are started by [`build`](Self::build).
    #[doc(alias = "max_workers")]
    #[doc(alias = "num_threads")]
    pub fn workers(mut self, n: usize) -> Self {
        self.workers = Some(n);
        self
    }

    /// Names the pool; its threads are called `NAME-0`, `NAME-1` and so on. Default: `Pool-N`.
    #[doc(alias = "thread_name_prefix")]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Limits how many jobs may wait in the queue, at least one: a submit beyond that waits for room. Default: no
    /// limit.
    ///
    /// The pool's own workers never wait, since they are the ones that make room. A job leaves the queue when it
    /// starts or is cancelled.
    pub fn queue_bound(mut self, jobs: usize) -> Self {
        self.queue_bound = Some(jobs.max(1));
        self
    }

    /// Lets a worker end that had nothing to do for `timeout`, as long as another is left. It is started
    /// again when all others are busy. Default: workers stay.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets the size of each worker's stack in bytes. Default: 2 MiB. The system rounds up.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::builder().workers(1).stack_size(16 << 20).build()?;
    /// let deep = pool.submit(|| [0u8; 8 << 20].len());
    /// assert_eq!(deep.result()?, 8 << 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets what each worker does before its first job. A panic is reported by the panic hook and ends
    /// nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use threads::{Latch, Pool};
    ///
    /// let ready = Arc::new(Latch::new(2));
    /// let started = ready.clone();
    /// let pool = Pool::builder().workers(2).on_start(move || started.count_down()).build()?;
    /// ready.wait();
    /// # Ok::<(), threads::SpawnError>(())
    /// ```
    #[doc(alias = "initializer")]
    pub fn on_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(f));
        self
    }

    /// Sets what each worker does after its last job. A shutdown that waits, waits for it as well. A panic is
    /// reported by the panic hook and ends nothing.
    pub fn on_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_stop = Some(Arc::new(f));
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// [`SpawnError`], if the number of workers is 0 or more than 8,192, or if the system refuses a thread; those
    /// already started are ended.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = threads::Pool::builder().workers(0).build().unwrap_err();
    /// assert!(error.is_bad_count());
    /// ```
    pub fn build(self) -> Result<Pool, SpawnError> {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.unwrap_or_else(|| available().min(MAX_WORKERS));
        let name = self
            .name
            .unwrap_or_else(|| format!("Pool-{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed)));
        if !(1..=MAX_WORKERS).contains(&workers) {
            return Err(SpawnError::bad_count(name, workers, MAX_WORKERS));
        }
        let core = Arc::new(Core::new(Settings {
            name,
            workers,
            queue_bound: self.queue_bound,
            idle_timeout: self.idle_timeout,
            stack_size: self.stack_size,
            on_start: self.on_start,
            on_stop: self.on_stop,
        }));
        for _ in 0..workers {
            if let Err(error) = core.start_worker() {
                core.close();
                return Err(error);
            }
        }
        Ok(Pool {
            owner: Arc::new(Owner { core }),
        })
    }
}

/// A builder holds functions that each worker calls by itself.
impl UnwindSafe for PoolBuilder {}
impl RefUnwindSafe for PoolBuilder {}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("workers", &self.workers)
            .field("name", &self.name)
            .field("queue_bound", &self.queue_bound)
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
}
