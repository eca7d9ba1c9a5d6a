//! Objects that are started as threads, and the end of the program.

use super::info;
use crate::error::{SpawnError, TimedOut};
use crate::park::deadline;
use crate::thread::Thread;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// What a thread does, written as a type: Python's subclass of `Thread` with a `run` method.
///
/// Its fields are the thread's arguments. `run` takes the object, so it cannot be started twice.
///
/// # Examples
///
/// ```
/// use threads::Run;
///
/// struct Square(u32);
///
/// impl Run for Square {
///     type Output = u32;
///
///     fn run(self) -> u32 {
///         self.0 * self.0
///     }
/// }
///
/// let mut thread = threads::start(Square(7))?;
/// assert_eq!(thread.join()?, 49);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Run: Send + 'static {
    /// What `run` returns and `join` gives.
    type Output: Send + 'static;

    /// The thread's body.
    fn run(self) -> Self::Output;
}

/// Starts a thread with an object that knows what to do; [`Thread::builder`] names it.
///
/// # Errors
/// [`SpawnError`], if the system refuses another thread.
pub fn start<R: Run>(runner: R) -> Result<Thread<R::Output>, SpawnError> {
    Thread::builder().start(runner)
}

/// Runs `f`, then waits until every thread has ended that this crate started and that is no daemon.
///
/// In Rust the process ends when `main` returns, and every thread with it. Put the body of `main` into
/// `run_main` for Python's rule that the process ends after the last thread that is no daemon. The workers
/// of pools are daemons, as are threads that others started. A panic of `f` continues after the wait.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static DONE: AtomicBool = AtomicBool::new(false);
/// threads::run_main(|| drop(threads::spawn(|| DONE.store(true, Ordering::Relaxed))));
/// assert!(DONE.load(Ordering::Relaxed));
/// ```
pub fn run_main<T>(f: impl FnOnce() -> T) -> T {
    let outcome = catch_unwind(AssertUnwindSafe(f));
    info::wait_for_others(None);
    outcome.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Waits for at most `timeout` until every other thread has ended that this crate started and that is no
/// daemon.
///
/// # Errors
/// [`TimedOut`], if one still runs; [`enumerate`](crate::enumerate) tells which.
pub fn join_others_for(timeout: Duration) -> Result<(), TimedOut> {
    let ended = info::wait_for_others(deadline(timeout));
    ended.then_some(()).ok_or(TimedOut)
}
