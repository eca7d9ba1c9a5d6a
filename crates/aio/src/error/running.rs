//! What keeps a loop from running, or from taking work.

use std::{error::Error, fmt, io};

use super::{Cancelled, Panicked};

/// No event loop runs on this thread, so there is nothing to schedule on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRunningLoop;

impl fmt::Display for NoRunningLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no event loop runs on this thread: call aio::run(async { .. }) and do this inside it",
        )
    }
}

impl Error for NoRunningLoop {}

impl From<NoRunningLoop> for io::Error {
    fn from(error: NoRunningLoop) -> Self {
        io::Error::other(error)
    }
}

/// The event loop was closed; it takes no more work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopClosed;

impl fmt::Display for LoopClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is closed: make a new one with EventLoop::new()")
    }
}

impl Error for LoopClosed {}

impl From<LoopClosed> for io::Error {
    fn from(error: LoopClosed) -> Self {
        io::Error::other(error)
    }
}

/// The event loop cannot be closed because it is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopRunning;

impl fmt::Display for LoopRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop is running: call stop(), and close() once the run has returned")
    }
}

impl Error for LoopRunning {}

/// Why [`run`](crate::run) or one of [`EventLoop`](crate::EventLoop)'s run methods gave no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A loop already runs on this thread.
    AlreadyRunning,
    /// The loop was closed.
    Closed,
    /// [`EventLoop::stop`](crate::EventLoop::stop) ended the run before the future was done; the future has been dropped.
    Stopped,
    /// The future was cancelled, by its name in the task list.
    Cancelled(Cancelled),
    /// SIGINT (ctrl-c) came; the future was cancelled, and its clean-ups have run.
    Interrupted,
    /// The future panicked.
    Panicked(Panicked),
    /// The operating system refused what a loop needs (descriptors, usually).
    Io(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::AlreadyRunning => f.write_str(
                "an event loop already runs on this thread: inside it, use `.await` (or create_task) instead of a second run",
            ),
            RunError::Closed => LoopClosed.fmt(f),
            RunError::Stopped => f.write_str(
                "the event loop was stopped before the future was done: run it again with a task that outlives the stop",
            ),
            RunError::Cancelled(cancelled) => cancelled.fmt(f),
            RunError::Interrupted => f.write_str(
                "interrupted by SIGINT (ctrl-c): to end otherwise, await shutdown_signal() or add a signal handler",
            ),
            RunError::Panicked(panicked) => panicked.fmt(f),
            RunError::Io(error) => write!(f, "cannot make an event loop: {error}"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RunError::Cancelled(cancelled) => Some(cancelled),
            RunError::Panicked(panicked) => Some(panicked),
            RunError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        RunError::Io(error)
    }
}

impl From<RunError> for io::Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io(error) => error,
            other => io::Error::other(other),
        }
    }
}
