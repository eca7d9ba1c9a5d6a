//! The properties of a pool.

use super::worker::{Core, Hook, Settings};
use super::{Owner, Pool};
use crate::error::SpawnError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The properties of a pool to be made. Made by [`Pool::builder`].
#[derive(Clone, Default)]
#[must_use = "a builder does nothing before build"]
pub struct PoolBuilder {
    workers: Option<usize>,
    name: Option<String>,
    queue_bound: Option<usize>,
    idle_timeout: Option<Duration>,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
}

static NEXT_NAME: AtomicUsize = AtomicUsize::new(1);

impl PoolBuilder {
    /// Sets the number of workers; without it, one for each processor that the process may use. At least
    /// one is started.
    pub fn workers(mut self, n: usize) -> Self {
        self.workers = Some(n);
        self
    }

    /// Names the pool; its threads are called `NAME-0`, `NAME-1` and so on. Without it, `Pool-N`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Limits how many jobs may wait in the queue, at least one: a submit beyond that waits for room. The
    /// pool's own workers never wait, since they are the ones who make room.
    pub fn queue_bound(mut self, jobs: usize) -> Self {
        self.queue_bound = Some(jobs.max(1));
        self
    }

    /// Lets a worker end that had nothing to do for `timeout`, as long as another is left. It is started
    /// again when all others are busy.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
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
    pub fn on_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_start = Some(Arc::new(f));
        self
    }

    /// Sets what each worker does after its last job, when the pool no longer counts it. A shutdown that
    /// waits, waits for it as well.
    pub fn on_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_stop = Some(Arc::new(f));
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses a thread; those already started are ended.
    pub fn build(self) -> Result<Pool, SpawnError> {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = self.workers.unwrap_or_else(available).max(1);
        let name = self
            .name
            .unwrap_or_else(|| format!("Pool-{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed)));
        let core = Arc::new(Core::new(Settings {
            name,
            workers,
            queue_bound: self.queue_bound.unwrap_or(usize::MAX),
            idle_timeout: self.idle_timeout,
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
