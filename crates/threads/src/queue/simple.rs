//! A queue with nothing but put and get.

use super::fifo::Fifo;
use crate::error::GetError;
use crate::park::{self, Waiter};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An unbounded first-in first-out queue without task counting and shutdown: a put cannot fail.
///
/// Handles and waiting are those of [`Queue`](crate::Queue). Putting is allowed anywhere, also while an item of
/// the same queue is dropped.
///
/// # Examples
///
/// ```
/// use threads::{GetError, SimpleQueue};
///
/// let queue = SimpleQueue::new();
/// queue.put(1);
/// assert_eq!(queue.get(), 1);
/// assert_eq!(queue.try_get(), Err(GetError::Empty));
/// ```
pub struct SimpleQueue<T> {
    engine: Arc<Fifo<T>>,
}

impl<T> SimpleQueue<T> {
    /// Makes an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self {
            engine: Arc::new(Fifo::new(usize::MAX)),
        }
    }

    /// Puts an item; there is always room.
    #[inline]
    pub fn put(&self, item: T) {
        // Neither full nor closed, ever.
        let _ = self.engine.try_put(item);
    }

    /// Takes the oldest item, waiting for one as long as it takes.
    #[inline]
    pub fn get(&self) -> T {
        loop {
            // Never closed and without a deadline, so it returns with an item.
            if let Ok(item) = self.engine.get(|| None) {
                return item;
            }
        }
    }

    /// Takes the oldest item if there is one at this moment.
    ///
    /// # Errors
    /// [`GetError::Empty`], if there is none.
    #[inline]
    pub fn try_get(&self) -> Result<T, GetError> {
        self.engine.try_get()
    }

    /// Takes the oldest item, waiting for one for at most `timeout`.
    ///
    /// # Errors
    /// [`GetError::TimedOut`], if none came.
    pub fn get_for(&self, timeout: Duration) -> Result<T, GetError> {
        self.engine.get(|| park::deadline(timeout))
    }

    /// Takes the oldest item, waiting for one until `deadline`.
    ///
    /// # Errors
    /// [`GetError::TimedOut`], if none came.
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetError> {
        self.engine.get(|| Some(deadline))
    }

    /// How many items are in the queue. Other threads may change that at any moment.
    #[must_use]
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Whether the queue is empty at this moment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Clone for SimpleQueue<T> {
    /// Makes another handle on the same queue.
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
        }
    }
}

impl<T> Default for SimpleQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for SimpleQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleQueue")
            .field("len", &self.len())
            .finish()
    }
}

impl<T> Source for SimpleQueue<T> {
    fn is_ready(&self) -> bool {
        !self.is_empty()
    }

    fn listen(&self, waiter: &Arc<Waiter>) {
        self.engine.listen(waiter.clone());
    }

    fn unlisten(&self, waiter: &Arc<Waiter>) -> bool {
        self.engine.unlisten(waiter);
        false
    }
}

/// Ready when an item can be taken.
impl<T> Waitable for SimpleQueue<T> {}
