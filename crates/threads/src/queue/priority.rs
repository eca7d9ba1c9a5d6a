//! A queue that gives the most urgent item first.

use super::Report;
use super::blocking::{Blocking, Store};
use super::methods::{handle_traits, shared_methods};
use super::{Shutdown, TaskGuard};
use crate::error::{GetError, PutError, TimedOut, TooManyTasksDone};
use crate::park::{self, Waiter};
use crate::sync::{Source, Waitable};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A queue that gives the item with the smallest priority first, shared by any number of threads, bounded
/// or not.
///
/// Only priorities are compared, never items; items of equal priority come out in the order in which they
/// were put. Handles, waiting, task counting and shutdown are those of [`Queue`](crate::Queue).
///
/// The comparison of priorities runs while the queue is locked. If it calls the same queue, a put or get
/// gives `Reentered`. If it panics, the panic continues in the caller of the put or get, whose item may be
/// lost.
///
/// # Examples
///
/// ```
/// use threads::PriorityQueue;
///
/// let queue = PriorityQueue::unbounded();
/// queue.put(2, "later")?;
/// queue.put(1, "first")?;
/// queue.put(2, "last")?;
/// assert_eq!(queue.get()?, (1, "first"));
/// assert_eq!(queue.get()?, (2, "later"));
/// assert_eq!(queue.get()?, (2, "last"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PriorityQueue<P, T> {
    engine: Arc<Blocking<Heap<P, T>>>,
}

struct Heap<P, T> {
    heap: BinaryHeap<Entry<P, T>>,
    next: u64,
}

struct Entry<P, T> {
    priority: P,
    /// The number of the put: ties keep their order.
    sequence: u64,
    item: T,
}

impl<P: Ord, T> Ord for Entry<P, T> {
    /// The heap gives the greatest first, so the most urgent is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = other.priority.cmp(&self.priority);
        order.then_with(|| other.sequence.cmp(&self.sequence))
    }
}

impl<P: Ord, T> PartialOrd for Entry<P, T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P: Ord, T> PartialEq for Entry<P, T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<P: Ord, T> Eq for Entry<P, T> {}

impl<P, T> Entry<P, T> {
    fn into_pair(self) -> (P, T) {
        (self.priority, self.item)
    }
}

impl<P: Ord, T> Store for Heap<P, T> {
    type Item = (P, T);
    const RUNS_FOREIGN_CODE: bool = true;

    fn push(&mut self, (priority, item): (P, T)) {
        self.heap.push(Entry {
            priority,
            sequence: self.next,
            item,
        });
        self.next += 1;
    }

    fn pop(&mut self) -> Option<(P, T)> {
        self.heap.pop().map(Entry::into_pair)
    }

    fn len(&self) -> usize {
        self.heap.len()
    }

    fn take_all(&mut self) -> Vec<(P, T)> {
        let mut entries = std::mem::take(&mut self.heap).into_sorted_vec();
        entries.reverse();
        entries.into_iter().map(Entry::into_pair).collect()
    }
}

impl<P: Ord, T> PriorityQueue<P, T> {
    /// Makes a queue that holds at most `capacity` items.
    ///
    /// # Panics
    /// If `capacity` is 0: an item could never be put.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "{}", super::NO_ROOM);
        Self::with_capacity(capacity)
    }

    /// Makes a queue without bound: a put never waits.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::with_capacity(usize::MAX)
    }

    fn with_capacity(capacity: usize) -> Self {
        let heap = Heap {
            heap: BinaryHeap::new(),
            next: 0,
        };
        Self {
            engine: Arc::new(Blocking::new(heap, capacity)),
        }
    }

    /// Puts an item, waiting for room as long as it takes.
    ///
    /// # Errors
    /// [`PutError::Closed`] with priority and item, if the queue is or becomes shut down.
    pub fn put(&self, priority: P, item: T) -> Result<(), PutError<(P, T)>> {
        self.engine.put((priority, item), || None)
    }

    /// Puts an item if there is room at this moment.
    ///
    /// # Errors
    /// [`PutError::Full`] or [`PutError::Closed`], with priority and item.
    pub fn try_put(&self, priority: P, item: T) -> Result<(), PutError<(P, T)>> {
        self.engine.try_put((priority, item))
    }

    /// Puts an item, waiting for room for at most `timeout`.
    ///
    /// # Errors
    /// [`PutError::TimedOut`] or [`PutError::Closed`], with priority and item.
    pub fn put_for(&self, priority: P, item: T, timeout: Duration) -> Result<(), PutError<(P, T)>> {
        self.engine
            .put((priority, item), || park::deadline(timeout))
    }

    /// Puts an item, waiting for room until `deadline`.
    ///
    /// # Errors
    /// [`PutError::TimedOut`] or [`PutError::Closed`], with priority and item.
    pub fn put_until(
        &self,
        priority: P,
        item: T,
        deadline: Instant,
    ) -> Result<(), PutError<(P, T)>> {
        self.engine.put((priority, item), || Some(deadline))
    }

    shared_methods!((P, T), "the most urgent");
}

handle_traits!(PriorityQueue<P, T> where P: Ord, (P, T));
