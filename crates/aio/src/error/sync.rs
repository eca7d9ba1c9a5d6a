//! What locks, barriers and queues refuse.

use std::{error::Error, fmt};

/// It cannot be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WouldBlock;

impl fmt::Display for WouldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is taken just now: await it, or try again later")
    }
}

impl Error for WouldBlock {}

/// There is no room; what was to go in comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("full: nothing that was taken is missing, so nothing can be given back")
    }
}

impl<T: fmt::Debug> Error for Full<T> {}

/// A barrier was aborted or reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken: somebody aborted or reset it; reset it to use it again")
    }
}

impl Error for Broken {}

/// Why an item could not be put into a queue; it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutError<T> {
    /// The queue is full.
    Full(T),
    /// The queue is shut down.
    Closed(T),
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PutError::Full(_) => "the queue is full: await put(), or make it larger",
            PutError::Closed(_) => "the queue is shut down and takes no more items",
        })
    }
}

impl<T: fmt::Debug> Error for PutError<T> {}

/// Why no item could be got from a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetError {
    /// The queue is empty.
    Empty,
    /// The queue is shut down, and nothing is left in it.
    Closed,
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GetError::Empty => "the queue is empty: await get()",
            GetError::Closed => "the queue is shut down and nothing is left in it",
        })
    }
}

impl Error for GetError {}

/// `task_done` was called more often than items were put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyDone;

impl fmt::Display for TooManyDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "task_done() was called more often than items were put in: call it once for each get()",
        )
    }
}

impl Error for TooManyDone {}
