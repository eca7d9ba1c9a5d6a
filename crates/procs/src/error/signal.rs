//! Signals that do not arrive.

use std::error::Error;
use std::fmt;

use super::SystemError;

/// A signal was not sent to a process that runs.
///
/// Sending to a process that has ended is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalError {
    /// This process may not signal that one, which has another user (EPERM): after `setuid`, for instance.
    #[non_exhaustive]
    NotPermitted {
        /// The process that runs on: the one that was to be signalled, or one that it has started.
        pid: u32,
    },
    /// The system call failed in another way.
    System(SystemError),
}

impl SignalError {
    pub(crate) fn new(pid: u32, error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM) => Self::NotPermitted { pid },
            _ => Self::System(SystemError::new(format!("signal the process {pid}"))(error)),
        }
    }
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted { pid } => write!(
                f,
                "this process may not signal the process {pid}, which has another user"
            ),
            Self::System(error) => error.fmt(f),
        }
    }
}

/// A wrapped error is printed by `Display`; `source` is the error behind it.
impl Error for SignalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => error.source(),
            Self::NotPermitted { .. } => None,
        }
    }
}
