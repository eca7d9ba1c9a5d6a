//! Errors of forks.

use std::error::Error;
use std::fmt;

use super::SystemError;

/// A fork, or a wait for a forked child, failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForkError {
    /// This process has several threads; their number is in the value. The child would have one of them, and every lock that
    /// the others held would stay locked. Fork before other threads are started, or use [`spawn`](crate::spawn).
    SeveralThreads(usize),
    /// The child has not ended within the time limit. It can be waited for again.
    TimedOut,
    /// A system call failed.
    System(SystemError),
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralThreads(count) => {
                write!(
                    f,
                    "this process has {count} threads, of which a fork would copy one"
                )
            }
            Self::TimedOut => f.write_str("the child has not ended within the time limit"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ForkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => error.source(),
            _ => None,
        }
    }
}

impl From<SystemError> for ForkError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}
