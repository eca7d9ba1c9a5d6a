//! A queue that counts which of its values have been processed.

use std::fmt;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{GetError, PutError, SystemError, TaskDoneError, WaitError};
use crate::ipc::queue::handle::{Iter, Queue, TryIter};
use crate::ipc::queue::ring::RingError;
use crate::ipc::queue::timeout::Timeout;

/// A [`Queue`] that counts which of its values have been processed.
///
/// A reader calls [`task_done`](Self::task_done) after it has processed a value. If a reader dies before that, its value
/// stays undone: wait with a time limit if readers may die. Everything else is as in [`Queue`].
///
/// ```
/// use procs::JoinableQueue;
///
/// #[procs::task]
/// fn work(queue: JoinableQueue<u32>) {
///     while let Ok(_number) = queue.get() {
///         queue.task_done().unwrap();
///     }
/// }
///
/// #[procs::main]
/// fn main() {
///     let queue = JoinableQueue::new(10).unwrap();
///     let _reader = procs::spawn(work, queue.clone()).unwrap();
///     for number in 0..100 {
///         queue.put(&number).unwrap();
///     }
///     queue.join().unwrap();
///     assert!(queue.is_empty());
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "", transparent)]
#[must_use = "a queue does nothing unless values are put and got"]
pub struct JoinableQueue<T>(Queue<T>);

impl<T> JoinableQueue<T> {
    /// Makes a queue; see [`Queue::new`].
    ///
    /// # Errors
    ///
    /// As [`Queue::new`].
    pub fn new(capacity: usize) -> Result<Self, SystemError> {
        Queue::new(capacity).map(Self)
    }

    /// Makes a queue of a size in bytes; see [`Queue::with_bytes`].
    ///
    /// # Errors
    ///
    /// As [`Queue::new`].
    pub fn with_bytes(capacity: usize, bytes: usize) -> Result<Self, SystemError> {
        Queue::with_bytes(capacity, bytes).map(Self)
    }

    /// Returns the current number of values. Values that were got and are not done do not count.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the queue is currently empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the largest number of values.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Closes the queue; see [`Queue::close`].
    ///
    /// # Errors
    ///
    /// As [`Queue::close`].
    #[doc(alias = "shutdown")]
    pub fn close(&self) -> Result<(), WaitError> {
        self.0.close()
    }

    /// Returns whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Reports that a value that was got has been processed.
    ///
    /// # Errors
    ///
    /// [`TooMany`](TaskDoneError::TooMany) when every value that was got has been reported, and
    /// [`Broken`](TaskDoneError::Broken).
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        match self.0.ring().done() {
            Ok(true) => Ok(()),
            Ok(false) => Err(TaskDoneError::TooMany),
            Err(_) => Err(TaskDoneError::Broken),
        }
    }

    /// Blocks until every value that was put is reported as done.
    ///
    /// # Errors
    ///
    /// [`Broken`](WaitError::Broken) when a process has overwritten the queue's memory.
    pub fn join(&self) -> Result<(), WaitError> {
        self.join_with(Timeout::Unlimited)
    }

    /// Blocks until every value that was put is reported as done, for `time` at most.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join), and [`TimedOut`](WaitError::TimedOut).
    pub fn join_for(&self, time: Duration) -> Result<(), WaitError> {
        self.join_with(Timeout::after(time))
    }

    /// Blocks until every value that was put is reported as done, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join), and [`TimedOut`](WaitError::TimedOut).
    pub fn join_until(&self, deadline: Instant) -> Result<(), WaitError> {
        self.join_with(Timeout::Until(deadline))
    }

    fn join_with(&self, timeout: Timeout) -> Result<(), WaitError> {
        self.0.ring().join(timeout).map_err(|error| match error {
            RingError::TimedOut => WaitError::TimedOut,
            RingError::Closed | RingError::Broken => WaitError::Broken,
        })
    }
}

impl<T: Serialize> JoinableQueue<T> {
    /// Puts a value; see [`Queue::put`].
    ///
    /// # Errors
    ///
    /// As [`Queue::put`].
    #[doc(alias = "send")]
    #[doc(alias = "push")]
    pub fn put(&self, value: &T) -> Result<(), PutError> {
        self.0.put(value)
    }

    /// Puts a value if there is room; see [`Queue::try_put`].
    ///
    /// # Errors
    ///
    /// As [`Queue::try_put`].
    pub fn try_put(&self, value: &T) -> Result<(), PutError> {
        self.0.try_put(value)
    }

    /// Puts a value, waiting for `time` at most; see [`Queue::put_for`].
    ///
    /// # Errors
    ///
    /// As [`Queue::put_for`].
    pub fn put_for(&self, value: &T, time: Duration) -> Result<(), PutError> {
        self.0.put_for(value, time)
    }

    /// Puts a value, waiting until `deadline` at most; see [`Queue::put_until`].
    ///
    /// # Errors
    ///
    /// As [`Queue::put_until`].
    pub fn put_until(&self, value: &T, deadline: Instant) -> Result<(), PutError> {
        self.0.put_until(value, deadline)
    }
}

impl<T: DeserializeOwned> JoinableQueue<T> {
    /// Gets the oldest value; see [`Queue::get`].
    ///
    /// # Errors
    ///
    /// As [`Queue::get`].
    #[doc(alias = "recv")]
    #[doc(alias = "receive")]
    #[doc(alias = "pop")]
    pub fn get(&self) -> Result<T, GetError> {
        self.0.get()
    }

    /// Gets the oldest value if there is one; see [`Queue::try_get`].
    ///
    /// # Errors
    ///
    /// As [`Queue::try_get`].
    pub fn try_get(&self) -> Result<T, GetError> {
        self.0.try_get()
    }

    /// Gets the oldest value, waiting for `time` at most; see [`Queue::get_for`].
    ///
    /// # Errors
    ///
    /// As [`Queue::get_for`].
    pub fn get_for(&self, time: Duration) -> Result<T, GetError> {
        self.0.get_for(time)
    }

    /// Gets the oldest value, waiting until `deadline` at most; see [`Queue::get_until`].
    ///
    /// # Errors
    ///
    /// As [`Queue::get_until`].
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetError> {
        self.0.get_until(deadline)
    }

    /// Returns an iterator that gets values until the queue is closed and empty; see [`Queue::iter`].
    pub fn iter(&self) -> Iter<'_, T> {
        self.0.iter()
    }

    /// Returns an iterator that gets values without blocking; see [`Queue::try_iter`].
    pub fn try_iter(&self) -> TryIter<'_, T> {
        self.0.try_iter()
    }
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a JoinableQueue<T> {
    type Item = Result<T, GetError>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for JoinableQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinableQueue").field(&self.0).finish()
    }
}
