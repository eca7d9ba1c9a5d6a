//! Errors of queues.

use std::error::Error;
use std::fmt;

use super::{DecodeError, EncodeError};

const BROKEN: &str = "the queue is broken: a process has overwritten its memory";

/// Error of putting a value into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutError {
    /// `try_put`: there is no room now.
    Full,
    /// The time limit passed before there was room.
    TimedOut,
    /// The queue is closed.
    Closed,
    /// The value cannot be encoded, or is larger than the whole queue.
    Encode(EncodeError),
    /// A process has overwritten the queue's memory. A new queue has to be made.
    Broken,
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full"),
            Self::TimedOut => f.write_str("timed out: the queue is full"),
            Self::Closed => f.write_str("the queue is closed"),
            Self::Encode(error) => error.fmt(f),
            Self::Broken => f.write_str(BROKEN),
        }
    }
}

impl Error for PutError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => error.source(),
            _ => None,
        }
    }
}

/// Error of getting a value from a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetError {
    /// `try_get`: there is no value now.
    Empty,
    /// The time limit passed before there was a value.
    TimedOut,
    /// The queue is closed and empty.
    Closed,
    /// The bytes that were got are no value of the type. The next value can be got.
    Decode(DecodeError),
    /// A process has overwritten the queue's memory. A new queue has to be made.
    Broken,
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the queue is empty"),
            Self::TimedOut => f.write_str("timed out: the queue is empty"),
            Self::Closed => f.write_str("the queue is closed and empty"),
            Self::Decode(error) => error.fmt(f),
            Self::Broken => f.write_str(BROKEN),
        }
    }
}

impl Error for GetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => error.source(),
            _ => None,
        }
    }
}

/// Error of reporting a value as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskDoneError {
    /// As many values were reported as done as were got.
    TooMany,
    /// A process has overwritten the queue's memory. A new queue has to be made.
    Broken,
}

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "task_done was called more often than values were got",
            Self::Broken => BROKEN,
        })
    }
}

impl Error for TaskDoneError {}

/// Error of closing a queue, or of waiting until all its values are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The time limit passed before all values were reported as done.
    TimedOut,
    /// A process has overwritten the queue's memory. A new queue has to be made.
    Broken,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "timed out: not all values of the queue are done",
            Self::Broken => BROKEN,
        })
    }
}

impl Error for WaitError {}
