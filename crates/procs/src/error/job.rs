//! Jobs without a result, and waits that end too early.

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
    /// The pool was closed before the job was submitted, or terminated before it was done.
    Closed,
    /// The time to wait is over; the job goes on, and can be waited for again.
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
        /// The signal that killed it.
        signal: Option<i32>,
        /// The code with which it exited.
        code: Option<i32>,
        /// What it had used up: its peak memory tells whether it was killed for want of that.
        usage: ResourceUsage,
    },
    /// The pool's workers failed to start again and again, and it gave up.
    Broken(StartError),
    /// The arguments or the result could not be encoded.
    Encode(EncodeError),
    /// The arguments or the result could not be decoded.
    Decode(DecodeError),
    /// An earlier call has returned the result.
    AlreadyTaken,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Cancelled => f.write_str("the job was cancelled before it began"),
            Self::Closed => f.write_str(
                "the pool is closed: submit before you close, and join before you terminate",
            ),
            Self::TimedOut => f.write_str("the job is not done yet: wait longer, or cancel it"),
            Self::TaskTimedOut { limit, pid } => {
                write!(
                    f,
                    "the task ran longer than {limit:?}, and its worker {pid} was killed"
                )
            }
            Self::WorkerDied {
                pid,
                signal,
                code,
                usage: _,
            } => {
                write!(
                    f,
                    "worker {pid} died while it ran this task: {}",
                    ExitStatus::from_parts(*code, *signal)
                )
            }
            Self::Broken(error) => write!(
                f,
                "the pool gave up, because its workers do not start: {error}"
            ),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::AlreadyTaken => {
                f.write_str("the result was taken by an earlier call: keep it there")
            }
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Panicked(panic) => Some(panic),
            Self::Broken(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// The time to wait is over; what was waited for goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time to wait is over: wait longer, or terminate")
    }
}

impl Error for TimedOut {}
