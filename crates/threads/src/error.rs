//! Every error of the crate, each named for what happened.

use crate::unwind;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

/// The time limit of a wait passed before what was waited for came about. Nothing else changed.
///
/// It says all there is to say, so that it can be written in patterns and comparisons. It gets no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit passed")
    }
}

impl Error for TimedOut {}

/// A lock or a permit was not free at the moment of a `try_` call, which does not wait.
///
/// It says all there is to say, so that it can be written in patterns and comparisons. It gets no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WouldBlock;

impl fmt::Display for WouldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another thread holds the lock, or there are not enough permits")
    }
}

impl Error for WouldBlock {}

/// More permits would have been free than the semaphore may have. None was released.
///
/// It says all there is to say, so that it can be written in patterns and comparisons. It gets no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverRelease;

impl fmt::Display for OverRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more permits were released than the semaphore may have")
    }
}

impl Error for OverRelease {}

/// A wait at a [`Barrier`](crate::Barrier) failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarrierError {
    /// The time limit of this call passed before all parties had come. The barrier is broken now.
    TimedOut,
    /// The barrier is broken: another party's time limit passed, the action panicked, or the barrier was
    /// aborted, or reset during the wait.
    Broken,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "not all parties came to the barrier within the time limit",
            Self::Broken => {
                "the barrier is broken; reset it when every party is ready to come again"
            }
        })
    }
}

impl Error for BarrierError {}

/// `task_done` was called more often than items were taken.
///
/// It says all there is to say, so that it can be written in patterns and comparisons. It gets no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyTasksDone;

impl fmt::Display for TooManyTasksDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task_done was called more often than items were taken; call it once per item")
    }
}

impl Error for TooManyTasksDone {}

/// An item was not put; every variant hands it back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutError<T> {
    /// There was no room (`try_put`).
    Full(T),
    /// The queue was shut down.
    Closed(T),
    /// There was no room until the time limit (`put_for`, `put_until`).
    TimedOut(T),
    /// The call came from the comparison of the same queue's priorities (`PriorityQueue`).
    Reentered(T),
}

impl<T> PutError<T> {
    /// The item that was not put.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(item)
            | Self::Closed(item)
            | Self::TimedOut(item)
            | Self::Reentered(item) => item,
        }
    }

    /// Replaces the item.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> PutError<U> {
        match self {
            Self::Full(item) => PutError::Full(f(item)),
            Self::Closed(item) => PutError::Closed(f(item)),
            Self::TimedOut(item) => PutError::TimedOut(f(item)),
            Self::Reentered(item) => PutError::Reentered(f(item)),
        }
    }
}

impl<T> fmt::Debug for PutError<T> {
    /// Names the variant; the item need not be printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
            Self::TimedOut(_) => "TimedOut(..)",
            Self::Reentered(_) => "Reentered(..)",
        })
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue is full; use put or put_for to wait for room",
            Self::Closed(_) => "the queue was shut down; it takes no more items",
            Self::TimedOut(_) => "the queue stayed full until the time limit; try again later",
            Self::Reentered(_) => REENTERED,
        })
    }
}

impl<T> Error for PutError<T> {}

/// No item was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetError {
    /// There was no item (`try_get`).
    Empty,
    /// The queue was shut down and nothing is left in it.
    Closed,
    /// No item came until the time limit (`get_for`, `get_until`).
    TimedOut,
    /// The call came from the comparison of the same queue's priorities (`PriorityQueue`).
    Reentered,
}

const REENTERED: &str = "the comparison of priorities used its own queue; compare without it";

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the queue is empty; use get or get_for to wait for an item",
            Self::Closed => "the queue was shut down and is empty; no item will come",
            Self::TimedOut => "no item came until the time limit; try again later",
            Self::Reentered => REENTERED,
        })
    }
}

impl Error for GetError {}

/// What a panicking thread or job left behind: the payload of its `panic!`.
pub struct Panic {
    /// Apart, so that the errors and results that may hold a panic stay small.
    inner: Box<Inner>,
}

struct Inner {
    message: String,
    location: Option<String>,
    /// A payload is `Send` only; the mutex makes it shareable and is never contended.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = unwind::message(&*payload);
        let location = unwind::take_location(&message);
        let payload = Mutex::new(payload);
        Self {
            inner: Box::new(Inner {
                message,
                location,
                payload,
            }),
        }
    }

    /// The text given to `panic!`, or a remark that the payload was not text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The place in the source, as `file:line:column`.
    ///
    /// `None` for a panic that was resumed, and if the program has replaced the panic hook since it started its
    /// first thread, scope or pool of this crate.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.inner.location.as_deref()
    }

    /// The payload itself.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.inner
            .payload
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Continues the panic in the calling thread.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.into_payload())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("message", &self.message())
            .field("location", &self.location())
            .finish()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        match self.location() {
            Some(location) => write!(f, " (at {location})"),
            None => Ok(()),
        }
    }
}

impl Error for Panic {}

/// A thread, or a pool of threads, was not started.
///
/// `Display` prints the system's error, which [`io_error`](Self::io_error) returns as well.
#[derive(Debug)]
pub struct SpawnError {
    name: String,
    source: io::Error,
    bad_count: bool,
}

impl SpawnError {
    pub(crate) fn new(name: String, source: io::Error) -> Self {
        Self {
            name,
            source,
            bad_count: false,
        }
    }

    pub(crate) fn bad_count(name: String, workers: usize, max: usize) -> Self {
        let text = format!("a pool has 1 to {max} workers, not {workers}");
        Self {
            name,
            source: io::Error::new(io::ErrorKind::InvalidInput, text),
            bad_count: true,
        }
    }

    /// Returns whether the name was the cause: it contains a zero byte.
    #[must_use]
    pub fn is_bad_name(&self) -> bool {
        self.name.contains('\0')
    }

    /// Returns whether the number of a pool's workers was the cause: it is 0 or too large.
    #[must_use]
    pub fn is_bad_count(&self) -> bool {
        self.bad_count
    }

    /// Returns the system's error.
    #[must_use]
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, source, .. } = self;
        write!(f, "cannot start {name:?}: {source}")
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The error itself is printed.
        self.source.source()
    }
}

/// A `join` gave no value.
#[derive(Debug)]
pub enum JoinError {
    /// The thread panicked.
    Panicked(Panic),
    /// The thread ended itself, by [`exit_thread`](crate::exit_thread).
    Exited,
    /// The thread was still running at the time limit.
    TimedOut,
    /// A thread tried to join itself, which would last for ever.
    SelfJoin,
    /// The value was handed out by an earlier join.
    AlreadyJoined,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "the thread panicked: {panic}"),
            Self::Exited => f.write_str("the thread called exit_thread; it leaves no value"),
            Self::TimedOut => f.write_str("the thread still ran at the time limit; join it again"),
            Self::SelfJoin => f.write_str("a thread cannot join itself; join it from another"),
            Self::AlreadyJoined => f.write_str("the thread's value was taken by an earlier join"),
        }
    }
}

impl Error for JoinError {}

/// A job gave no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The job panicked.
    Panicked(Panic),
    /// The job was cancelled before it started.
    Cancelled,
    /// The pool was shut down before it took the job.
    Closed,
    /// The job was not done at the time limit. It goes on, and can be waited for again.
    TimedOut,
    /// An earlier call has returned the result. A result is returned once.
    AlreadyTaken,
    /// The job's [`Promise`](crate::Promise) was dropped without a value.
    BrokenPromise,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => write!(f, "the job panicked: {panic}"),
            Self::Cancelled => f.write_str("the job was cancelled before it started"),
            Self::Closed => f.write_str("the pool was shut down before it took the job"),
            Self::TimedOut => f.write_str("the job was not done at the time limit"),
            Self::AlreadyTaken => f.write_str("an earlier call has returned the job's result"),
            Self::BrokenPromise => f.write_str("the job's promise was dropped without a value"),
        }
    }
}

impl Error for JobError {}

/// A function was not submitted, because the pool's queue is full. The function is in the error.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError<F> {
    /// The queue has no room at this moment.
    Full(F),
    /// The queue had no room until the time limit.
    TimedOut(F),
}

impl<F> SubmitError<F> {
    /// The function that was not submitted.
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(f) | Self::TimedOut(f) => f,
        }
    }
}

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::TimedOut(_) => "TimedOut(..)",
        })
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the pool's queue is full",
            Self::TimedOut(_) => "the pool's queue was full until the time limit",
        })
    }
}

impl<F> Error for SubmitError<F> {}
