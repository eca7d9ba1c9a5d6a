//! Errors of a manager's objects.

use std::error::Error;
use std::fmt;

use super::{DecodeError, EncodeError, SystemError};

/// A call of a manager's object failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManagerError {
    /// The manager was dropped, or its process died: its objects are gone.
    ServerDied,
    /// No reply came within the proxy's time limit. The operation may have been done or not.
    TimedOut,
    /// The object was freed, because its last proxy was dropped while this one was in transit; or it never was this
    /// manager's.
    Gone,
    /// The list has no such element.
    OutOfRange,
    /// The proxy was turned into one of another kind in transit: the object is no dictionary, list, counter or value, as the
    /// method needs. It is unchanged.
    TypeMismatch,
    /// The value could not be encoded.
    Encode(EncodeError),
    /// The stored value is not of the type.
    Decode(DecodeError),
    /// A system call failed: too many open files.
    System(SystemError),
}

impl fmt::Display for ManagerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerDied => {
                f.write_str("the manager's process has ended, and its objects with it")
            }
            Self::TimedOut => f.write_str("the manager did not reply in time"),
            Self::Gone => f.write_str(
                "the manager's object was freed with its last proxy: keep one while others travel",
            ),
            Self::OutOfRange => f.write_str("the list has no such element"),
            Self::TypeMismatch => f.write_str("the manager's object is of another kind"),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ManagerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => error.source(),
            Self::Decode(error) => error.source(),
            Self::System(error) => error.source(),
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
