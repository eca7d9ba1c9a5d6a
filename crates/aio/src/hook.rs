//! Executors: where work goes that would hold up the loop.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{
    error::{Cancelled, Panicked, TaskError},
    event_loop::EventLoop,
};

/// What [`EventLoop::run_in_executor`] hands work to: threads, processes, machines. `W` is what it takes as work: a
/// function, or a message that says what to do.
///
/// [`Threads`] is the one that is always there. A pool of processes plugs in by an `execute` that submits the work and
/// has the pool's own callback for finished jobs call [`Done::set`]. Here each piece of work is a process:
///
/// ```
/// use aio::{Done, EventLoop, Executor};
/// use std::{process::Command, thread};
///
/// struct Shells;
///
/// impl Executor<&'static str> for Shells {
///     type Output = String;
///
///     fn execute(&self, script: &'static str, done: Done<String>) {
///         thread::spawn(move || {
///             done.run(|| {
///                 let output = Command::new("sh").args(["-c", script]).output().expect("there is a shell");
///                 String::from_utf8(output.stdout).expect("it prints text")
///             })
///         });
///     }
/// }
///
/// let event_loop = EventLoop::new()?;
/// let greeting = event_loop.run_in_executor(&Shells, "echo hello from $$");
/// assert!(event_loop.run_until_complete(greeting)??.starts_with("hello from "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Executor<W> {
    /// What the work results in.
    type Output: Send + 'static;

    /// Takes the work on, without waiting for it: this is called on the loop's thread. When it is done, on whatever thread,
    /// `done` is told. Dropping `done` untold says that the work was given up.
    fn execute(&self, work: W, done: Done<Self::Output>);
}

/// The loop's own pool of threads, for functions that block: what [`to_thread`](crate::to_thread) uses, too. It grows with
/// what is asked of it, to 512 threads; what comes beyond waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl<F, T> Executor<F> for Threads
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn execute(&self, work: F, done: Done<T>) {
        // The loop has entered its runtime for this call. Its handle is not needed: `done` tells.
        drop(tokio::task::spawn_blocking(move || done.run(work)));
    }
}

impl EventLoop {
    /// Hands `work` to `executor` now, and gives its result to whoever awaits it. The loop need not be running.
    ///
    /// Dropping what this gives does not stop the work; an executor may look at [`Done::is_abandoned`].
    ///
    /// # Errors
    ///
    /// The output is [`TaskError::Panicked`] when the work panicked, [`TaskError::Cancelled`] when the executor gave it up,
    /// [`TaskError::LoopClosed`] when the loop is closed.
    ///
    /// ```
    /// let event_loop = aio::EventLoop::new()?;
    /// let sum = event_loop.run_in_executor(&aio::Threads, || (1..=100).sum::<u32>());
    /// assert_eq!(event_loop.run_until_complete(sum)?, Ok(5050));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_in_executor<W, E>(&self, executor: &E, work: W) -> InExecutor<E::Output>
    where
        E: Executor<W> + ?Sized,
    {
        let shared = Arc::new(Mutex::new(State::Waiting(None)));
        let done = Done {
            shared: Some(shared.clone()),
        };
        if let Err(closed) = self.core().within(|| executor.execute(work, done)) {
            *lock(&shared) = State::Told(Err(closed.into()));
        }
        InExecutor { shared }
    }
}

type Shared<T> = Arc<Mutex<State<T>>>;

enum State<T> {
    Waiting(Option<Waker>),
    Told(Result<T, TaskError>),
    Taken,
}

fn lock<T>(shared: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    // No panic of the work happens under the lock: it is caught first.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells what became of the work; given to [`Executor::execute`]. Dropped untold, it says that the work was given up.
#[must_use = "dropping it says that the work was given up"]
pub struct Done<T> {
    shared: Option<Shared<T>>,
}

impl<T> Done<T> {
    /// The work resulted in `value`.
    pub fn set(self, value: T) {
        self.tell(Ok(value));
    }

    /// The work panicked, with what was caught.
    pub fn set_panic(self, payload: Box<dyn Any + Send>) {
        self.tell(Err(TaskError::Panicked(Panicked::new(payload))));
    }

    /// Does the work here, and tells what became of it, be it a panic.
    pub fn run(self, work: impl FnOnce() -> T) {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(value) => self.set(value),
            Err(payload) => self.set_panic(payload),
        }
    }

    /// Whether nobody waits for the work any more.
    pub fn is_abandoned(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_none_or(|shared| Arc::strong_count(shared) == 1)
    }

    fn tell(mut self, result: Result<T, TaskError>) {
        if let Some(shared) = self.shared.take() {
            tell(&shared, result);
        }
    }
}

fn tell<T>(shared: &Mutex<State<T>>, result: Result<T, TaskError>) {
    let before = std::mem::replace(&mut *lock(shared), State::Told(result));
    if let State::Waiting(Some(waker)) = before {
        waker.wake();
    }
}

impl<T> Drop for Done<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            let why = "the executor gave the work up".to_owned();
            let cancelled = Cancelled::new(Some(why));
            tell(&shared, Err(TaskError::Cancelled(cancelled)));
        }
    }
}

/// The result of work in an [`Executor`]; made by [`EventLoop::run_in_executor`].
#[must_use = "the work goes on without this, but its result is lost"]
pub struct InExecutor<T> {
    shared: Shared<T>,
}

impl<T> Future for InExecutor<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.shared);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Waiting(_) => {
                *state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            State::Told(result) => Poll::Ready(result),
            State::Taken => Poll::Ready(Err(TaskError::Taken)),
        }
    }
}

impl<T> fmt::Debug for Done<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done")
            .field("abandoned", &self.is_abandoned())
            .finish()
    }
}

impl<T> fmt::Debug for InExecutor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = matches!(*lock(&self.shared), State::Told(_));
        f.debug_struct("InExecutor").field("done", &told).finish()
    }
}
