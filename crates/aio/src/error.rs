//! Every error of this crate: what happened, and what to do about it.

use std::{any::Any, error::Error, fmt, io};

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
    /// The future was cancelled, by its name in the task list or by a signal.
    Cancelled(Cancelled),
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

/// Why a [`StreamReader`](crate::StreamReader) could not give what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream ended first. The bytes that had come are here; the reader no longer holds them.
    Incomplete {
        /// What came before the end.
        partial: Vec<u8>,
        /// How many bytes were asked for; `None` when a separator was.
        expected: Option<usize>,
    },
    /// No separator within the reader's limit. The bytes stay in the reader: read them, or raise the limit.
    LimitOverrun {
        /// How many bytes are held without a separator among them.
        held: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Incomplete {
                partial,
                expected: Some(expected),
            } => {
                write!(
                    f,
                    "the stream ended after {} of {expected} bytes: the peer closed early",
                    partial.len()
                )
            }
            ReadError::Incomplete {
                partial,
                expected: None,
            } => {
                write!(
                    f,
                    "the stream ended after {} bytes without the separator: the peer closed early",
                    partial.len()
                )
            }
            ReadError::LimitOverrun { held, limit } => write!(
                f,
                "no separator in {held} bytes, the limit is {limit}: read them with read(n), or raise it with set_limit"
            ),
            ReadError::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::Incomplete { .. } => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            ReadError::LimitOverrun { .. } => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// Why a route could not be added to an [`App`](crate::http::App).
#[cfg(feature = "http")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// The pattern is malformed.
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The method has a handler at this pattern already.
    Duplicate {
        /// The method.
        method: String,
        /// The pattern.
        pattern: String,
    },
    /// Another pattern matches the same paths under other names.
    Conflict {
        /// The pattern.
        pattern: String,
        /// The one that was there before.
        other: String,
    },
}

#[cfg(feature = "http")]
impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteError::BadPattern { pattern, why } => {
                write!(f, "the route {pattern:?} is malformed: {why}")
            }
            RouteError::Duplicate { method, pattern } => {
                write!(
                    f,
                    "{method} {pattern} has a handler already: remove one of the two"
                )
            }
            RouteError::Conflict { pattern, other } => {
                write!(
                    f,
                    "{pattern} matches the same paths as {other}: give their parts the same names"
                )
            }
        }
    }
}

#[cfg(feature = "http")]
impl Error for RouteError {}

#[cfg(feature = "http")]
impl From<RouteError> for io::Error {
    fn from(error: RouteError) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Why a request's body could not be read.
#[cfg(feature = "http")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// It is larger than [`Limits::body`](crate::http::Limits::body) allows.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The client hung up, or sent what is no body.
    Broken(String),
    /// It was to be text and is not UTF-8.
    NotText,
}

#[cfg(feature = "http")]
impl BodyError {
    /// The status to answer with.
    pub fn status(&self) -> http::StatusCode {
        match self {
            BodyError::TooLarge { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Broken(_) | BodyError::NotText => http::StatusCode::BAD_REQUEST,
        }
    }
}

#[cfg(feature = "http")]
impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge { limit } => {
                write!(
                    f,
                    "the body is larger than {limit} bytes: send less, or raise Limits::body"
                )
            }
            BodyError::Broken(why) => write!(f, "the body is incomplete: {why}"),
            BodyError::NotText => f.write_str("the body is not UTF-8 text: read it as bytes"),
        }
    }
}

#[cfg(feature = "http")]
impl Error for BodyError {}
