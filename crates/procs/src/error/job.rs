//! Errors of jobs and of waits.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::process::status::{ExitStatus, ResourceUsage};

use super::{DecodeError, EncodeError, Panicked, StartError};

/// A job of a pool gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// The task panicked; its worker goes on.
    Panicked(Panicked),
    /// The job was cancelled before a worker had it.
    Cancelled,
    /// The pool was closed before the job was submitted, or terminated before the job was done. [`Pool::join`](crate::Pool::join)
    /// lets jobs finish.
    Closed,
    /// The job has not ended within the time limit. It goes on, and can be waited for again.
    TimedOut,
    /// The task ran longer than the pool's task timeout, and its worker was killed.
    #[non_exhaustive]
    TaskTimedOut {
        /// The pool's limit.
        limit: Duration,
        /// The worker that was killed.
        pid: u32,
    },
    /// The worker died while it ran this task. Other tasks are not affected, and the worker is replaced.
    #[non_exhaustive]
    WorkerDied {
        /// The worker's process id.
        pid: u32,
        /// The code with which it exited, or the signal that killed it.
        status: ExitStatus,
        /// The resources that it used. A high peak memory beside SIGKILL suggests that it was killed for lack of memory.
        usage: ResourceUsage,
        /// The last panic of the task, if there was one: in a destructor during a panic, for instance, it aborts the worker.
        panic: Option<Box<Panicked>>,
    },
    /// The pool is broken: its workers failed to start five times in a row.
    Broken(StartError),
    /// The arguments or the result could not be encoded.
    Encode(EncodeError),
    /// The arguments or the result could not be decoded.
    Decode(DecodeError),
    /// An earlier call has returned the result. A result is returned once.
    AlreadyTaken,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Cancelled => f.write_str("the job was cancelled before it began"),
            Self::Closed => f.write_str("the pool was closed before the job was done"),
            Self::TimedOut => f.write_str("the job has not ended within the time limit"),
            Self::TaskTimedOut { limit, pid } => {
                write!(
                    f,
                    "the task ran longer than {limit:?}, and its worker {pid} was killed"
                )
            }
            Self::WorkerDied {
                pid,
                status,
                usage,
                panic,
            } => {
                write!(f, "worker {pid} died while it ran this task: {status}")?;
                if usage.peak_memory() > 0 {
                    write!(f, " (peak memory {} MiB)", usage.peak_memory() >> 20)?;
                }
                panic
                    .as_ref()
                    .map_or(Ok(()), |panic| write!(f, ", after {panic}"))
            }
            Self::Broken(error) => write!(
                f,
                "the pool is broken, because its workers do not start: {error}"
            ),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::AlreadyTaken => f.write_str("an earlier call has taken the result"),
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Panicked(panic) => panic.source(),
            Self::Broken(error) => error.source(),
            Self::Encode(error) => error.source(),
            Self::Decode(error) => error.source(),
            _ => None,
        }
    }
}

/// The time limit of a wait has passed. The operation goes on, and can be waited for again.
///
/// It has no data on purpose: a wait that can fail in other ways has an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit of the wait has passed")
    }
}

impl Error for TimedOut {}

/// A call was not given to a pool, because its queue is full. The arguments are in the error.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError<A> {
    /// The queue has no room now.
    Full(A),
    /// The queue had no room within the time.
    TimedOut(A),
}

impl<A> SubmitError<A> {
    /// Returns the arguments.
    pub fn into_args(self) -> A {
        match self {
            Self::Full(args) | Self::TimedOut(args) => args,
        }
    }
}

impl<A> fmt::Debug for SubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::TimedOut(_) => "TimedOut(..)",
        })
    }
}

impl<A> fmt::Display for SubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the pool's queue is full",
            Self::TimedOut(_) => "the pool's queue was full for too long",
        })
    }
}

impl<A> Error for SubmitError<A> {}
