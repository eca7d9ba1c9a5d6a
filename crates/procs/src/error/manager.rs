//! Shared objects that do not answer.

use std::error::Error;
use std::fmt;

use super::{DecodeError, EncodeError, SystemError};

/// A manager's object did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManagerError {
    /// The manager was dropped, or its process died: its objects are gone.
    ServerDied,
    /// The answer did not come in the proxy's time. Whether it was done, nobody knows.
    TimedOut,
    /// The list has no such element.
    OutOfRange,
    /// The value could not be encoded.
    Encode(EncodeError),
    /// What is there is no value of the type.
    Decode(DecodeError),
    /// A system call failed: too many open files.
    System(SystemError),
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerDied => {
                f.write_str("the manager's process has ended, and its objects with it: keep the manager as long as they are used")
            }
            Self::TimedOut => f.write_str("the manager did not answer in time: wait longer"),
            Self::OutOfRange => f.write_str("the list has no such element: look at its length"),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ManagerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Decode(error) => Some(error),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for ManagerError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<DecodeError> for ManagerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
