//! Jobs that borrow from the thread that submits them.
//!
//! A scoped job's function and value may borrow for `'scope`; the pool's queue knows only `'static` tasks.
//! What makes that sound: `Pool::scope` does not return, and does not unwind, before `open` is zero; a job
//! is counted out after its function and everything it captured is gone and after the worker's share of
//! its value is gone. What may stay in the queue or with a worker longer is a task whose slot holds `()`.

use super::Pool;
use super::job::Job;
use super::task::{Handle, Runnable, Task, Work};
use crate::error::{JobError, Panic};
use crate::park::{WaitQueue, deadline};
use crate::unwind::catch_and_forget;
use parking_lot::Mutex;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The place where [`Pool::scope`]'s jobs are submitted.
pub struct PoolScope<'scope, 'env: 'scope> {
    pool: &'scope Pool,
    shared: Arc<ScopeShared>,
    /// Invariant, so that a scope cannot pass for one that lives longer.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// What outlives the scope, because the last job may still be leaving.
struct ScopeShared {
    /// Jobs that may still use what they borrow.
    open: AtomicUsize,
    owner: WaitQueue,
    /// For the owner to run what is still queued, if it is a worker itself.
    tasks: Mutex<QueuedTasks>,
    /// The first panic whose job's result nobody took.
    unclaimed: Mutex<Option<Panic>>,
}

/// Tasks that may still be queued.
#[derive(Default)]
struct QueuedTasks {
    tasks: Vec<Arc<dyn Runnable>>,
    /// The length at which those that are no longer queued are removed: twice what was left the last time, so
    /// that a scope that goes on for long holds no more than its queued tasks, at constant cost for each.
    purge_at: usize,
}

impl QueuedTasks {
    const FIRST_PURGE: usize = 64;

    fn push(&mut self, task: Arc<dyn Runnable>) {
        if self.tasks.len() >= self.purge_at.max(Self::FIRST_PURGE) {
            self.tasks.retain(|task| task.is_queued());
            self.purge_at = 2 * self.tasks.len();
        }
        self.tasks.push(task);
    }
}

/// A job of a [`PoolScope`].
#[must_use = "a dropped job still runs, but its result is lost"]
pub struct ScopedJob<'scope, T> {
    job: Job<()>,
    value: Arc<Value<T>>,
    scope: PhantomData<&'scope mut &'scope ()>,
}

/// A scoped job's value on its way to the `ScopedJob`.
struct Value<T> {
    outcome: Mutex<Option<Result<T, Panic>>>,
    shared: Arc<ScopeShared>,
}

impl<T> Drop for Value<T> {
    fn drop(&mut self) {
        if let Some(Err(panic)) = self.outcome.get_mut().take() {
            let mut unclaimed = self.shared.unclaimed.lock();
            let second = match &*unclaimed {
                None => unclaimed.replace(panic),
                Some(_) => Some(panic),
            };
            drop(unclaimed);
            // A payload is user code to drop: outside the lock.
            catch_and_forget(|| drop(second));
        }
    }
}

/// What a scoped task captures, in the order in which it is dropped: `count` last.
struct Body<F, T> {
    function: F,
    value: Arc<Value<T>>,
    count: CountOut,
}

/// Counts a job out of its scope.
struct CountOut(Arc<ScopeShared>);

impl Drop for CountOut {
    fn drop(&mut self) {
        // Release: the scope's owner sees everything that the job did.
        if self.0.open.fetch_sub(1, Ordering::Release) == 1 {
            self.0.owner.notify(usize::MAX);
        }
    }
}

impl<F: FnOnce() -> T, T> Body<F, T> {
    fn run(self) {
        let Self {
            function,
            value,
            count,
        } = self;
        let outcome = catch_unwind(AssertUnwindSafe(function));
        *value.outcome.lock() = Some(outcome.map_err(Panic::new));
        // If the handle is gone, this drops the value: before the job is counted out.
        catch_and_forget(|| drop(value));
        drop(count);
    }
}

impl Pool {
    /// Runs `f` with a scope whose jobs may borrow from the caller: when `scope` returns, all have ended.
    ///
    /// A panic of a job whose result was taken is the taker's; the first of one that was not continues here,
    /// as does one of `f`. The wait has no time limit: what borrows must not outlive the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let mut numbers = vec![1, 2, 3, 4];
    /// pool.scope(|s| {
    ///     for chunk in numbers.chunks_mut(2) {
    ///         drop(s.submit(move || chunk.iter_mut().for_each(|n| *n *= 10)));
    ///     }
    /// });
    /// assert_eq!(numbers, [10, 20, 30, 40]);
    /// # Ok::<(), threads::SpawnError>(())
    /// ```
    pub fn scope<'env, R>(
        &'env self,
        f: impl for<'scope> FnOnce(&PoolScope<'scope, 'env>) -> R,
    ) -> R {
        let shared = Arc::new(ScopeShared {
            open: AtomicUsize::new(0),
            owner: WaitQueue::new(),
            tasks: Mutex::new(QueuedTasks::default()),
            unclaimed: Mutex::new(None),
        });
        let scope = PoolScope {
            pool: self,
            shared: shared.clone(),
            scope: PhantomData,
            env: PhantomData,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| f(&scope)));
        shared.wait(self);
        let panic = shared.unclaimed.lock().take();
        match (outcome, panic) {
            (Err(payload), _) => resume_unwind(payload),
            (Ok(_), Some(panic)) => panic.resume(),
            (Ok(value), None) => value,
        }
    }
}

impl ScopeShared {
    /// Waits until every job was counted out.
    fn wait(&self, pool: &Pool) {
        if pool.is_own_worker() {
            let queued = std::mem::take(&mut *self.tasks.lock());
            for task in queued.tasks {
                task.run();
            }
        }
        // Acquire pairs with the Release in `CountOut`.
        let poll = || (self.open.load(Ordering::Acquire) == 0).then_some(());
        if poll().is_none() {
            self.owner.wait(None, poll);
        }
    }
}

impl<'scope> PoolScope<'scope, '_> {
    /// Hands `f`, which may borrow, to the pool's workers.
    pub fn submit<F, T>(&self, f: F) -> ScopedJob<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let core = &self.pool.owner.core;
        let value = Arc::new(Value {
            outcome: Mutex::new(None),
            shared: self.shared.clone(),
        });
        // Without a deadline it ends with room.
        let room = core.reserve(|| None).ok().flatten();
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        let body = Body {
            function: f,
            value: value.clone(),
            count: CountOut(self.shared.clone()),
        };
        let task = Task::new(move || body.run(), core.id(), room);
        let task: Arc<dyn Erased + 'scope> = Arc::new(task);
        // SAFETY: only the lifetime changes. The borrows lie in the task's slot until the function has run
        // or was refused, either of which drops the body, and with it `CountOut`, last; `Pool::scope` waits
        // for that. Afterwards the slot holds a `Result<(), JobError>`, which borrows nothing.
        let task: Arc<dyn Erased> = unsafe { std::mem::transmute(task) };
        if self.pool.is_own_worker() {
            self.shared.tasks.lock().push(task.clone());
        }
        core.submit(task.clone());
        // SAFETY: the task was made here, and gets no other handle.
        let handle = unsafe { Handle::new(task) };
        ScopedJob {
            job: Job::new(handle),
            value,
            scope: PhantomData,
        }
    }
}

/// A task as the queue and a `Job` need it, in one type that can be sent for a shorter lifetime.
trait Erased: Work<()> {}

impl<W: Work<()>> Erased for W {}

impl<T> ScopedJob<'_, T> {
    /// Blocks until the job is done and returns its result.
    ///
    /// # Errors
    /// As [`Job::result`].
    pub fn result(self) -> Result<T, JobError> {
        let Self { job, value, .. } = self;
        job.result()?;
        taken(&value)
    }

    /// Waits for the result for at most `timeout`.
    ///
    /// # Errors
    /// As [`Job::result_for`].
    pub fn result_for(&mut self, timeout: Duration) -> Result<T, JobError> {
        self.result_by(deadline(timeout))
    }

    /// Waits for the result until `deadline`.
    ///
    /// # Errors
    /// As [`Job::result_for`].
    pub fn result_until(&mut self, deadline: Instant) -> Result<T, JobError> {
        self.result_by(Some(deadline))
    }

    /// Returns the result if the job is done, `None` if it is not.
    ///
    /// # Errors
    /// As [`Job::result`].
    pub fn try_result(&mut self) -> Option<Result<T, JobError>> {
        if !self.job.is_done() {
            return None;
        }
        Some(match taken(&self.value) {
            // Not run, or taken before: the job's own result says which.
            Err(JobError::AlreadyTaken) => {
                let outcome = self.job.try_result();
                Err(outcome
                    .and_then(Result::err)
                    .unwrap_or(JobError::AlreadyTaken))
            }
            result => result,
        })
    }

    fn result_by(&mut self, deadline: Option<Instant>) -> Result<T, JobError> {
        if !self.job.is_done() {
            self.job.wait(deadline);
        }
        self.try_result().unwrap_or(Err(JobError::TimedOut))
    }

    /// Whether the job has ended, in whatever way.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.job.is_done()
    }

    /// Whether a thread is running the job's function at this moment.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.job.is_running()
    }

    /// Cancels the job if it has not started. True: it will never run.
    pub fn cancel(&self) -> bool {
        self.job.cancel()
    }

    pub(super) fn run_if_queued(&self) -> bool {
        self.job.run_if_queued()
    }
}

/// The state of a scope and of its jobs is right after a panic of user code.
impl UnwindSafe for PoolScope<'_, '_> {}
impl RefUnwindSafe for PoolScope<'_, '_> {}
impl<T> UnwindSafe for ScopedJob<'_, T> {}
impl<T> RefUnwindSafe for ScopedJob<'_, T> {}

fn taken<T>(value: &Value<T>) -> Result<T, JobError> {
    match value.outcome.lock().take() {
        Some(outcome) => outcome.map_err(JobError::Panicked),
        None => Err(JobError::AlreadyTaken),
    }
}

impl fmt::Debug for PoolScope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolScope").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJob<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJob").field(&self.job).finish()
    }
}
