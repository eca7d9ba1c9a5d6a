//! Processes without a result.

use std::error::Error;
use std::fmt;

use crate::process::status::{ExitStatus, ResourceUsage};

use super::{DecodeError, EncodeError, Panicked, StartError};

/// A process gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessError {
    /// The task panicked.
    Panicked(Panicked),
    /// The process ended before the task did: it was killed, it aborted, or the task called `exit`.
    #[non_exhaustive]
    Died {
        /// Its process id.
        pid: u32,
        /// The signal that killed it.
        signal: Option<i32>,
        /// The code with which it exited.
        code: Option<i32>,
        /// What it had used up: its peak memory tells whether it was killed for want of that.
        usage: ResourceUsage,
    },
    /// The process never became ready to run the task.
    Start(StartError),
    /// The task's result could not be encoded.
    Encode(EncodeError),
    /// The arguments, or the result, could not be decoded.
    Decode(DecodeError),
    /// The thread of this program that watches its processes panicked, and the process was killed. Processes that are
    /// started later are watched by a new thread.
    MonitorPanicked,
    /// The time to wait is over; the process still runs, and can be waited for again.
    TimedOut,
    /// An earlier call has returned the result.
    AlreadyJoined,
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Died {
                pid,
                signal,
                code,
                usage: _,
            } => {
                write!(
                    f,
                    "process {pid} died before its task ended: {}",
                    ExitStatus::from_parts(*code, *signal)
                )
            }
            Self::Start(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::MonitorPanicked => f.write_str(
                "the process was killed, because the thread that watches processes panicked",
            ),
            Self::TimedOut => f.write_str("the process still runs: wait longer, or terminate it"),
            Self::AlreadyJoined => {
                f.write_str("the result was taken by an earlier join: keep it there")
            }
        }
    }
}

impl Error for ProcessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Panicked(panic) => Some(panic),
            Self::Start(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}
