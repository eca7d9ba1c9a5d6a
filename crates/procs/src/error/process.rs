//! Errors of processes.

use std::error::Error;
use std::fmt;

use crate::process::status::{ExitStatus, ResourceUsage};

use super::{DecodeError, EncodeError, Panicked, StartError};

/// A process gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessError {
    /// The task panicked. With `panic = "abort"` the process has ended with SIGABRT then.
    Panicked(Panicked),
    /// The process ended before the task did: it was killed, it aborted, or the task called `exit`.
    #[non_exhaustive]
    Died {
        /// Its process id.
        pid: u32,
        /// The code with which it exited, or the signal that killed it.
        status: ExitStatus,
        /// The resources that it used. A high peak memory beside SIGKILL suggests that it was killed for lack of memory.
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
    /// The process has not ended within the time limit. It goes on, and can be waited for again.
    TimedOut,
    /// An earlier call has returned the result. A result is returned once.
    AlreadyJoined,
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Died { pid, status, .. } => {
                write!(f, "process {pid} died before its task ended: {status}")
            }
            Self::Start(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::MonitorPanicked => f.write_str(
                "the process was killed, because the thread that watches processes panicked",
            ),
            Self::TimedOut => f.write_str("the process has not ended within the time limit"),
            Self::AlreadyJoined => f.write_str("an earlier join has taken the result"),
        }
    }
}

impl Error for ProcessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Panicked(panic) => panic.source(),
            Self::Start(error) => error.source(),
            Self::Encode(error) => error.source(),
            Self::Decode(error) => error.source(),
            _ => None,
        }
    }
}
