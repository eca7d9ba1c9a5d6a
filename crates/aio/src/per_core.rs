//! Several loops: one for each CPU, each on a thread of its own.

use std::{
    fmt,
    future::poll_fn,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    thread::{self, Scope},
};

use tokio::sync::watch;

use crate::{
    error::{FailureCause, LoopFailure, Panicked, PerCoreError, RunError},
    event_loop::get_running_loop,
    runner,
};

/// Runs `main` on as many loops as this process may use CPUs, and gives their results in the loops' order. As
/// [`run_loops`] otherwise.
///
/// The number of CPUs is that of [`std::thread::available_parallelism`], which knows the process's affinity and its
/// control group's quota.
///
/// # Errors
///
/// As [`run_loops`].
///
/// ```
/// let indices = aio::run_per_core(async |core| Ok::<usize, std::io::Error>(core.index()))?;
/// assert!(indices.iter().copied().eq(0..indices.len()));
/// # Ok::<(), aio::PerCoreError<std::io::Error>>(())
/// ```
pub fn run_per_core<T, E, M>(main: M) -> Result<Vec<T>, PerCoreError<E>>
where
    M: AsyncFn(Core) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    let count = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    run_loops(count, main)
}

/// Runs `main` on `count` loops, each on a thread of its own and with a [`Core`] that says which it is, waits until all
/// have ended, and gives their results in the loops' order.
///
/// The loops share nothing but what `main` borrows or clones, so tasks, locks and queues of one loop stay there; a
/// [`SharedListener`](crate::SharedListener) lets them serve one address, a [`LoopHandle`](crate::LoopHandle) lets one
/// call another. The threads are not bound to CPUs: the system moves them when that helps.
///
/// One loop's end does not end the others. A **failure** does: when a main coroutine returns an error or panics, those
/// of the other loops are cancelled, their tasks too, clean-ups run as in [`run`](crate::run), and all loops are closed
/// before this returns. [`Core::stop_all`] asks all of them to end by themselves.
///
/// # Errors
///
/// [`PerCoreError::Failed`] with every loop's failure, the first in front; results of other loops are dropped.
/// [`PerCoreError::AlreadyRunning`] on a loop's thread.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// let two = NonZeroUsize::new(2).unwrap();
/// let failed = aio::run_loops(two, async |core| {
///     if core.index() == 0 {
///         return Err("no luck");
///     }
///     std::future::pending().await
/// });
/// let failed: aio::PerCoreError<_> = failed.map(|_: Vec<()>| ()).unwrap_err();
/// assert_eq!(failed.to_string(), "loop 0: no luck");
/// ```
pub fn run_loops<T, E, M>(count: NonZeroUsize, main: M) -> Result<Vec<T>, PerCoreError<E>>
where
    M: AsyncFn(Core) -> Result<T, E> + Sync,
    T: Send,
    E: Send,
{
    if get_running_loop().is_ok() {
        return Err(PerCoreError::AlreadyRunning);
    }
    let run = Run {
        main,
        count: count.get(),
        phase: Arc::new(watch::Sender::new(Phase::Running)),
        failures: Mutex::new(Vec::new()),
    };
    let results: Vec<Option<T>> = thread::scope(|scope| {
        let loops: Vec<_> = (0..run.count)
            .map(|index| run.start(scope, index))
            .collect();
        let ended = loops.into_iter().map(|running| running?.join().ok()?);
        ended.collect()
    });
    let failures = run
        .failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if failures.is_empty() {
        Ok(results.into_iter().flatten().collect())
    } else {
        Err(PerCoreError::Failed(failures))
    }
}

/// How far the loops are, as all of them are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// They are asked to end.
    Stopping,
    /// One has failed: the others are cancelled.
    Failed,
}

fn advance(phase: &watch::Sender<Phase>, to: Phase) {
    phase.send_if_modified(|now| {
        let advances = *now < to;
        *now = (*now).max(to);
        advances
    });
}

async fn reached(phase: &watch::Sender<Phase>, wanted: Phase) {
    // Fails only when the sender is gone, which is here.
    let _ = phase.subscribe().wait_for(|now| *now >= wanted).await;
}

/// What the threads of the loops share.
struct Run<M, E> {
    main: M,
    count: usize,
    phase: Arc<watch::Sender<Phase>>,
    failures: Mutex<Vec<LoopFailure<E>>>,
}

impl<M, E: Send> Run<M, E> {
    fn start<'scope, T>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        index: usize,
    ) -> Option<thread::ScopedJoinHandle<'scope, Option<T>>>
    where
        M: AsyncFn(Core) -> Result<T, E> + Sync,
        T: Send + 'scope,
    {
        let spawned = thread::Builder::new()
            .name(format!("aio-loop-{index}"))
            .spawn_scoped(scope, move || self.run(index));
        spawned
            .map_err(|error| self.fail(index, FailureCause::Run(error.into())))
            .ok()
    }

    /// One loop, from its making to its close. `None` when it failed or was cancelled.
    fn run<T>(&self, index: usize) -> Option<T>
    where
        M: AsyncFn(Core) -> Result<T, E>,
    {
        let core = Core {
            index,
            count: self.count,
            phase: self.phase.clone(),
        };
        // Whatever happens on this thread is told: the others would run on for ever otherwise.
        let ended = catch_unwind(AssertUnwindSafe(|| runner::run(self.until_failure(core))));
        let cause = match ended {
            Ok(Ok(Some(Ok(value)))) => return Some(value),
            // Another has failed.
            Ok(Ok(None)) => return None,
            Ok(Ok(Some(Err(error)))) => FailureCause::Error(error),
            Ok(Err(error)) => FailureCause::Run(error),
            Err(payload) => FailureCause::Run(RunError::Panicked(Panicked::new(payload))),
        };
        self.fail(index, cause);
        None
    }

    /// What `main` gives; `None` when another loop failed first: then it is dropped where it stands.
    async fn until_failure<T>(&self, core: Core) -> Option<Result<T, E>>
    where
        M: AsyncFn(Core) -> Result<T, E>,
    {
        let mut failed = pin!(reached(&self.phase, Phase::Failed));
        let mut main = pin!((self.main)(core));
        poll_fn(|cx| match failed.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => main.as_mut().poll(cx).map(Some),
        })
        .await
    }

    fn fail(&self, index: usize, cause: FailureCause<E>) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(LoopFailure { index, cause });
        advance(&self.phase, Phase::Failed);
    }
}

/// Which of several loops this is, and the way to end all of them; given to the main coroutine by [`run_per_core`] and
/// [`run_loops`]. It may go to other threads.
///
/// ```
/// let ended = aio::run_per_core(async |core: aio::Core| {
///     if core.index() + 1 == core.count() {
///         core.stop_all();
///     }
///     core.stopping().await;
///     Ok::<(), std::io::Error>(())
/// });
/// assert!(ended.is_ok());
/// ```
#[derive(Clone)]
pub struct Core {
    index: usize,
    count: usize,
    phase: Arc<watch::Sender<Phase>>,
}

impl Core {
    /// The loop's number, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many loops there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Asks the main coroutines of all loops to end: [`stopping`](Core::stopping) returns to them. Those that do not
    /// wait for it go on.
    pub fn stop_all(&self) {
        advance(&self.phase, Phase::Stopping);
    }

    /// Waits until [`stop_all`](Core::stop_all) is called on any of the loops. Safe to cancel.
    pub async fn stopping(&self) {
        reached(&self.phase, Phase::Stopping).await;
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("index", &self.index)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
