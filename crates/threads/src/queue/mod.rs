//! Queues between threads.

mod fifo;
mod segment;
mod task_count;

use crate::error::{GetError, PutError, TimedOut, TooManyTasksDone};
use crate::signal;
use fifo::Fifo;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What happens to the items in a queue that is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Getters may take what is left; then they get `Closed`.
    Drain,
    /// The items are taken out and handed to the caller of `shutdown`; getters get `Closed` at once.
    Immediate,
}

/// A first-in first-out queue for any number of putting and getting threads, bounded or not.
///
/// A `Queue` is a handle: clones share one queue, so a clone goes into each thread, as a reference does
/// in Python. The queue does not close when handles are dropped; [`shutdown`](Self::shutdown) closes it.
/// Items left in it are dropped with the last handle.
///
/// Who waits is woken in the order of arrival, but a thread that comes at the right moment may be served
/// before one that is just waking up.
///
/// # Examples
///
/// ```
/// use threads::{Queue, Shutdown};
///
/// let queue = Queue::bounded(8);
/// let reader = queue.clone();
/// let mut thread = threads::spawn(move || {
///     let mut sum = 0;
///     while let Ok(n) = reader.get() {
///         sum += n;
///     }
///     sum
/// })?;
/// for n in 1..=4 {
///     queue.put(n)?;
/// }
/// queue.shutdown(Shutdown::Drain);
/// assert_eq!(thread.join()?, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<T> {
    fifo: Arc<Fifo<T>>,
}

impl<T> Queue<T> {
    /// Makes a queue that holds at most `capacity` items.
    ///
    /// # Panics
    /// If `capacity` is 0: an item could never be put.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = threads::Queue::bounded(1);
    /// assert!(queue.try_put('a').is_ok());
    /// assert_eq!(queue.try_put('b').unwrap_err().into_inner(), 'b');
    /// ```
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        assert!(
            capacity > 0,
            "a bounded queue needs room for an item; use Queue::unbounded() for one without bound"
        );
        Self {
            fifo: Arc::new(Fifo::new(capacity)),
        }
    }

    /// Makes a queue without bound: a put never waits.
    #[must_use]
    pub fn unbounded() -> Self {
        Self {
            fifo: Arc::new(Fifo::new(usize::MAX)),
        }
    }

    /// Puts an item, waiting for room as long as it takes.
    ///
    /// # Errors
    /// [`PutError::Closed`] with the item, if the queue is or becomes shut down.
    #[inline]
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.fifo.put(item, || None)
    }

    /// Puts an item if there is room at this moment.
    ///
    /// # Errors
    /// [`PutError::Full`] or [`PutError::Closed`], with the item.
    #[inline]
    pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.fifo.try_put(item)
    }

    /// Puts an item, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// [`PutError::TimedOut`] or [`PutError::Closed`], with the item.
    pub fn put_for(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        self.fifo.put(item, || signal::deadline(timeout))
    }

    /// Puts an item, waiting for room until `deadline`.
    ///
    /// # Errors
    /// [`PutError::TimedOut`] or [`PutError::Closed`], with the item.
    pub fn put_until(&self, item: T, deadline: Instant) -> Result<(), PutError<T>> {
        self.fifo.put(item, || Some(deadline))
    }

    /// Takes the oldest item, waiting for one as long as it takes.
    ///
    /// # Errors
    /// [`GetError::Closed`], once the queue is shut down and empty.
    #[inline]
    pub fn get(&self) -> Result<T, GetError> {
        self.fifo.get(|| None)
    }

    /// Takes the oldest item if there is one at this moment.
    ///
    /// # Errors
    /// [`GetError::Empty`], or [`GetError::Closed`] if the queue is empty and shut down.
    #[inline]
    pub fn try_get(&self) -> Result<T, GetError> {
        self.fifo.try_get()
    }

    /// Takes the oldest item, waiting for one for at most `timeout`.
    ///
    /// # Errors
    /// [`GetError::TimedOut`], or [`GetError::Closed`] once the queue is shut down and empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{GetError, Queue};
    ///
    /// let queue = Queue::<u8>::unbounded();
    /// assert_eq!(queue.get_for(Duration::from_millis(1)), Err(GetError::TimedOut));
    /// ```
    pub fn get_for(&self, timeout: Duration) -> Result<T, GetError> {
        self.fifo.get(|| signal::deadline(timeout))
    }

    /// Takes the oldest item, waiting for one until `deadline`.
    ///
    /// # Errors
    /// [`GetError::TimedOut`], or [`GetError::Closed`] once the queue is shut down and empty.
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetError> {
        self.fifo.get(|| Some(deadline))
    }

    /// How many items are in the queue. Other threads may change that at any moment.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fifo.len()
    }

    /// Whether the queue is empty at this moment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bound, if there is one.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        Some(self.fifo.capacity()).filter(|&bound| bound != usize::MAX)
    }

    /// Whether the queue was shut down. Items may still be in it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.fifo.is_closed()
    }

    /// Reports that the work on one taken item is finished.
    ///
    /// # Errors
    /// [`TooManyTasksDone`], if every taken item was already reported.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = threads::Queue::unbounded();
    /// queue.put("job")?;
    /// let job = queue.get()?;
    /// assert_eq!(job, "job");
    /// queue.task_done()?;
    /// queue.join();
    /// assert!(queue.task_done().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn task_done(&self) -> Result<(), TooManyTasksDone> {
        let fifo = &*self.fifo;
        fifo.tasks()
            .finish(|| fifo.taken_count(), || fifo.put_count())
    }

    /// How many of the items ever put are not reported done.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.fifo.tasks().unfinished(|| self.fifo.put_count())
    }

    /// Waits until every item ever put was taken and reported by [`task_done`](Self::task_done).
    ///
    /// Items that an immediate shutdown took out count as done.
    pub fn join(&self) {
        // Without a deadline the wait cannot time out.
        let _ = self.fifo.tasks().join(None, || self.fifo.put_count());
    }

    /// Waits for at most `timeout` until every item was reported done.
    ///
    /// # Errors
    /// [`TimedOut`], if some were not.
    pub fn join_for(&self, timeout: Duration) -> Result<(), TimedOut> {
        let tasks = self.fifo.tasks();
        tasks.join(signal::deadline(timeout), || self.fifo.put_count())
    }

    /// Closes the queue and wakes everyone who waits at it: puts fail from now on.
    ///
    /// Returns the items that are dropped with the shutdown, oldest first: with
    /// [`Shutdown::Immediate`] what was in the queue, with [`Shutdown::Drain`] none. Shutting down twice
    /// is allowed, also first draining and then at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::{GetError, Queue, Shutdown};
    ///
    /// let queue = Queue::unbounded();
    /// queue.put(1)?;
    /// queue.put(2)?;
    /// queue.shutdown(Shutdown::Drain);
    /// assert!(queue.put(3).is_err());
    /// assert_eq!(queue.get(), Ok(1));
    /// assert_eq!(queue.shutdown(Shutdown::Immediate), [2]);
    /// assert_eq!(queue.get(), Err(GetError::Closed));
    /// # Ok::<(), threads::PutError<i32>>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> Vec<T> {
        self.fifo.shutdown(how)
    }
}

impl<T> Clone for Queue<T> {
    /// Makes another handle on the same queue.
    fn clone(&self) -> Self {
        Self {
            fifo: self.fifo.clone(),
        }
    }
}

impl<T> Default for Queue<T> {
    /// An unbounded queue.
    fn default() -> Self {
        Self::unbounded()
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}
