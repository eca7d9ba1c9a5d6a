//! Errors of sending and receiving messages.

use std::error::Error;
use std::fmt;

use super::{DecodeError, EncodeError, SystemError};

/// A message was not sent; nothing of it has reached the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The other end is closed: every process that held it has dropped it or ended.
    Closed,
    /// There was no room within the time limit. The other end receives too slowly, or not at all.
    TimedOut,
    /// The value could not be encoded.
    Encode(EncodeError),
    /// A system call failed.
    System(SystemError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the other end of the connection is closed"),
            Self::TimedOut => f.write_str("the connection had no room within the time limit"),
            Self::Encode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => error.source(),
            Self::System(error) => error.source(),
            Self::Closed | Self::TimedOut => None,
        }
    }
}

/// No message was received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Every message has been received, and the other end is closed.
    Closed,
    /// No message arrived within the time limit.
    TimedOut,
    /// A message is not a value of the type. It is lost; the next one can be received.
    Decode(DecodeError),
    /// A system call failed. If this process had no descriptors left for those of a message, that message is lost.
    System(SystemError),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(
                "the other end of the connection is closed, and every message was received",
            ),
            Self::TimedOut => f.write_str("no message arrived within the time limit"),
            Self::Decode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ReceiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => error.source(),
            Self::System(error) => error.source(),
            Self::Closed | Self::TimedOut => None,
        }
    }
}
