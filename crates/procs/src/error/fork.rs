//! Forks that fail.

use std::error::Error;
use std::fmt;

use super::SystemError;

/// This process could not be duplicated, or the duplicate not be waited for.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForkError {
    /// This process has several threads (their number is in the value), of which the child would have one, together
    /// with whatever locks the others held.
    SeveralThreads(usize),
    /// The time to wait is over; the child still runs.
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
                    "this process has {count} threads: fork before you start others, or use procs::spawn"
                )
            }
            Self::TimedOut => f.write_str("the child still runs: wait longer, or terminate it"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ForkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SystemError> for ForkError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}
