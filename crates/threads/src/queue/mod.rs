//! Queues between threads.

mod fifo;
mod handle;
mod locked;
mod simple;
mod task_count;
mod task_guard;

pub use locked::{LifoQueue, PriorityQueue};
pub use simple::SimpleQueue;
pub use task_guard::TaskGuard;

use crate::error::{GetError, PutError, TimedOut, TooManyTasksDone};
use crate::park::{self, Waiter};
use crate::sync::{Source, Waitable};
pub(crate) use fifo::Fifo;
use handle::{drained, handle_traits, put_methods, shared_methods};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NO_ROOM: &str =
    "a bounded queue needs room for at least one item; use unbounded() for a queue without bound";

/// What happens to the items in a queue that is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Getters may take what is left; then they get `Closed`.
    Drain,
    /// The items are taken out and handed to the caller of `shutdown`; getters get `Closed` at once.
    Immediate,
}

/// A queue that counts finished tasks; what a [`TaskGuard`] reports to.
pub trait Report {
    /// Reports one task as finished.
    #[doc(hidden)]
    fn report(&self) -> Result<(), TooManyTasksDone>;
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
///
/// Tasks are counted: `join` waits until each item taken was reported done.
///
/// ```
/// let queue = threads::Queue::unbounded();
/// queue.put("job")?;
/// let job = queue.get()?;
/// assert_eq!((job, queue.unfinished()), ("job", 1));
/// queue.task_done()?;
/// queue.join();
/// assert!(queue.task_done().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A shutdown lets what is there be taken, or hands it back.
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
///
/// Many items can be put and taken at once.
///
/// ```
/// let queue = threads::Queue::unbounded();
/// let mut items = vec![1, 2, 3, 4, 5];
/// queue.put_many(&mut items)?;
/// assert!(items.is_empty());
/// assert_eq!(queue.get_many(&mut items, 3)?, 3);
/// assert_eq!(items, [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<T> {
    engine: Arc<Fifo<T>>,
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
        assert!(capacity > 0, "{NO_ROOM}");
        Self {
            engine: Arc::new(Fifo::new(capacity)),
        }
    }

    /// Makes a queue without bound: a put never waits.
    #[must_use]
    pub fn unbounded() -> Self {
        Self {
            engine: Arc::new(Fifo::new(usize::MAX)),
        }
    }

    put_methods!();
    shared_methods!(T, "the oldest");
}

handle_traits!(Queue<T>, T);
