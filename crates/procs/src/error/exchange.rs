//! Messages that are not sent, or do not come.

use std::error::Error;
use std::fmt;

use super::{DecodeError, EncodeError, SystemError};

/// A message was not sent; nothing of it has reached the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// Nobody holds the other end any more.
    Closed,
    /// There is no room, because the other end does not receive, and the time to wait is over.
    TimedOut,
    /// The value could not be encoded.
    Encode(EncodeError),
    /// A system call failed.
    System(SystemError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("nobody holds the connection's other end: stop sending"),
            Self::TimedOut => f.write_str(
                "the connection is full and the time to wait is over: wait longer, or receive faster",
            ),
            Self::Encode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

/// No message was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Every message has been received, and nobody holds the other end any more.
    Closed,
    /// No message has come, and the time to wait is over.
    TimedOut,
    /// A message came that is no value of the type; it is gone, and the next one can be received.
    Decode(DecodeError),
    /// A system call failed. If this process has no descriptors left for those in a message, that message is gone.
    System(SystemError),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(
                "nobody holds the connection's other end, and nothing is left to receive",
            ),
            Self::TimedOut => {
                f.write_str("no message has come and the time to wait is over: wait longer")
            }
            Self::Decode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ReceiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}
