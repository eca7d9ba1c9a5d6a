//! How tasks and groups of tasks end without a value.

use std::{any::Any, error::Error, fmt, io};

use super::LoopClosed;

/// Why a [`Task`](crate::Task) has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskError {
    /// The task was cancelled, or aborted, before it was done.
    Cancelled(Cancelled),
    /// The task's body panicked.
    Panicked(Panicked),
    /// The task was created where no loop runs; its body was dropped without being polled.
    NoRunningLoop,
    /// The loop was closed while the task was pending.
    LoopClosed,
    /// The task waits for itself, which would never end.
    AwaitsItself,
    /// A blocking wait on the thread of the very loop that is to make the result.
    BlocksLoop,
    /// The result was already taken by an earlier await.
    Taken,
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskError::Cancelled(cancelled) => cancelled.fmt(f),
            TaskError::Panicked(panicked) => panicked.fmt(f),
            TaskError::NoRunningLoop => f.write_str(
                "the task was created where no event loop runs: call aio::run(async { .. }) and create it inside",
            ),
            TaskError::LoopClosed => {
                f.write_str("the event loop was closed while the task was pending: await it before the loop closes")
            }
            TaskError::AwaitsItself => {
                f.write_str("the task awaits its own handle, which would never end: await it from another task")
            }
            TaskError::BlocksLoop => {
                f.write_str("waiting here would block the loop that makes the result: use `.await`")
            }
            TaskError::Taken => {
                f.write_str("the task's result was already taken: keep the value of the first await")
            }
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TaskError::Cancelled(cancelled) => Some(cancelled),
            TaskError::Panicked(panicked) => Some(panicked),
            _ => None,
        }
    }
}

impl From<LoopClosed> for TaskError {
    fn from(LoopClosed: LoopClosed) -> Self {
        TaskError::LoopClosed
    }
}

impl From<TaskError> for io::Error {
    fn from(error: TaskError) -> Self {
        io::Error::other(error)
    }
}

/// A task was cancelled; carries the message given to [`Task::cancel_with`](crate::Task::cancel_with).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cancelled {
    message: Option<String>,
}

impl Cancelled {
    pub(crate) fn new(message: Option<String>) -> Self {
        Cancelled { message }
    }

    /// The message given with the cancellation, if there was one.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "cancelled: {message}"),
            None => f.write_str("cancelled before it was done"),
        }
    }
}

impl Error for Cancelled {}

/// A task or a callback panicked; carries the panic's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked {
    message: String,
}

impl Panicked {
    /// Reads the message out of a caught panic. A payload whose own destructor panics is leaked, not propagated.
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => match payload.downcast::<&'static str>() {
                Ok(text) => (*text).to_owned(),
                Err(payload) => {
                    std::mem::forget(payload);
                    "a value that is not text".to_owned()
                }
            },
        };
        Panicked { message }
    }

    /// What the panic said.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl Error for Panicked {}

/// Why a [`task_group`](crate::task_group) gave no value.
#[derive(Debug)]
pub enum GroupError<E> {
    /// Tasks of the group, or its body, failed: all of their failures, in the order in which they came.
    Failed(Vec<GroupFailure<E>>),
    /// [`TaskGroup::cancel`](crate::TaskGroup::cancel) was called.
    Cancelled,
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Failed(failures) => {
                write!(f, "{} of the group failed", failures.len())?;
                failures
                    .iter()
                    .try_for_each(|failure| write!(f, "; {failure}"))
            }
            GroupError::Cancelled => f.write_str("the task group was cancelled"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for GroupError<E> {}

/// How one task of a group failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupFailure<E> {
    /// It returned this error.
    Error(E),
    /// It panicked.
    Panicked(Panicked),
}

impl<E: fmt::Display> fmt::Display for GroupFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupFailure::Error(error) => error.fmt(f),
            GroupFailure::Panicked(panicked) => panicked.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for GroupFailure<E> {}

/// The time given ran out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "timed out: what was waited for has been cancelled; give it more time or shield it",
        )
    }
}

impl Error for TimedOut {}

impl From<TimedOut> for io::Error {
    fn from(error: TimedOut) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, error)
    }
}

/// The side that was to set a value was dropped without doing so, or the value was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandoned;

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no value will come: its Setter was dropped without set(), or it was awaited before",
        )
    }
}

impl Error for Abandoned {}
