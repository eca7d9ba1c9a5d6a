//! `run`: a loop for one future, from its making to its close.

use std::time::Duration;

use crate::{error::RunError, event_loop::EventLoop};

/// Makes a loop, runs `future` on it, cancels what tasks are left, closes the loop, and gives the future's output.
///
/// The future may borrow from its surroundings and need not be `Send`. Its tasks must be `'static`.
///
/// # Errors
///
/// [`RunError::AlreadyRunning`] within another loop: there, `.await` the future. [`RunError::Cancelled`] and
/// [`RunError::Panicked`] when that happened to the future, [`RunError::Stopped`] when it stopped the loop,
/// [`RunError::Io`] when the loop could not be made.
///
/// ```
/// let greeting = aio::run(async {
///     aio::sleep(std::time::Duration::from_millis(1)).await;
///     "Hello, again!"
/// })?;
/// assert_eq!(greeting, "Hello, again!");
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn run<F: Future>(future: F) -> Result<F::Output, RunError> {
    if crate::get_running_loop().is_ok() {
        return Err(RunError::AlreadyRunning);
    }
    let event_loop = EventLoop::new()?;
    let result = event_loop.run_until_complete(future);
    wind_up(&event_loop);
    // It cannot be running any more.
    let _ = event_loop.close();
    result
}

/// How often it is looked whether the clean-ups are done.
const CLEANUP_POLL: Duration = Duration::from_millis(1);

/// Cancels every task and lets the loop run until they have ended.
fn wind_up(event_loop: &EventLoop) {
    let tasks = event_loop.all_tasks();
    if tasks.is_empty() {
        return;
    }
    for task in &tasks {
        task.cancel();
    }
    let all_ended = async {
        // A body is dropped within one iteration of its cancellation; its clean-ups take at most their 5 s. What a
        // destructor starts meanwhile is left to `close`.
        crate::yield_now().await;
        while tasks.iter().any(|task| !task.is_done()) {
            crate::sleep(CLEANUP_POLL).await;
        }
    };
    // Within a foreign runtime the loop has not run and cannot; closing it drops the tasks.
    let _ = event_loop.run_until_complete(all_ended);
}
