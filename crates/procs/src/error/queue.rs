//! Queues that are full, empty, closed.

use std::error::Error;
use std::fmt;

use super::{DecodeError, EncodeError};

const BROKEN: &str =
    "the queue's memory was overwritten by a process that has it: drop it and make a new one";

/// A value was not put into a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutError {
    /// There is no room, and the time to wait is over.
    Full,
    /// The queue is closed.
    Closed,
    /// The value could not be encoded, or is larger than the whole queue.
    Encode(EncodeError),
    /// A process has overwritten the queue's memory.
    Broken,
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full: wait longer, or get faster"),
            Self::Closed => f.write_str("the queue is closed: put before you close it"),
            Self::Encode(error) => error.fmt(f),
            Self::Broken => f.write_str(BROKEN),
        }
    }
}

impl Error for PutError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

/// No value was got from a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetError {
    /// There is none, and the time to wait is over.
    Empty,
    /// The queue is closed, and everything in it was got.
    Closed,
    /// What was got is no value of the type; the next one can be got.
    Decode(DecodeError),
    /// A process has overwritten the queue's memory.
    Broken,
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the queue is empty: wait longer, or put something"),
            Self::Closed => f.write_str("the queue is closed and empty: nothing will come"),
            Self::Decode(error) => error.fmt(f),
            Self::Broken => f.write_str(BROKEN),
        }
    }
}

impl Error for GetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// A task was not reported as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskDoneError {
    /// As many were reported as were got.
    TooMany,
    /// A process has overwritten the queue's memory.
    Broken,
}

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => {
                "task_done was called more often than get: call it once for each value"
            }
            Self::Broken => BROKEN,
        })
    }
}

impl Error for TaskDoneError {}

/// Not all tasks of a queue are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The time to wait is over.
    TimedOut,
    /// A process has overwritten the queue's memory.
    Broken,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => {
                "not all tasks are done and the time to wait is over: wait longer, or look for a reader that died"
            }
            Self::Broken => BROKEN,
        })
    }
}

impl Error for WaitError {}
