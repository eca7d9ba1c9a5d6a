//! A queue that gives the most urgent item first.

use super::Locked;
use super::heap::Heap;
use super::store::Store;
use crate::error::{GetError, PutError, TimedOut, TooManyTasksDone};
use crate::park::{self, Waiter};
use crate::queue::handle::{handle_traits, shared_methods};
use crate::queue::{NO_ROOM, Report, Shutdown, TaskGuard};
use crate::sync::{Source, Waitable};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A queue that gives the item with the smallest priority first, shared by any number of threads, bounded
/// or not.
///
/// Only priorities are compared, never items; items of equal priority come out in the order in which they
/// were put. Handles, waiting, task counting and shutdown are those of [`Queue`](crate::Queue).
///
/// # Orders that panic, block, or use the queue
///
/// The comparison of priorities runs while the queue is locked.
///
/// - If it panics, the panic continues in the caller, and the queue is as before. A put drops its item. A
///   `get_many` keeps what it has taken so far. A `shutdown` has closed the queue, and the items stay for another
///   call.
/// - If it blocks, other threads wait for it, but not longer than their time limits.
/// - If it puts into the same queue or takes from it, the call returns `Reentered`. `close` and `shutdown` close the
///   queue; no item is handed out.
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
    engine: Arc<Locked<Priorities<P, T>>>,
}

/// The items as a heap.
struct Priorities<P, T> {
    heap: Heap<Entry<P, T>>,
    next: u64,
}

struct Entry<P, T> {
    priority: P,
    /// The number of the put: ties keep their order.
    sequence: u64,
    item: T,
}

impl<P: Ord, T> Entry<P, T> {
    fn order(&self, other: &Self) -> Ordering {
        let order = self.priority.cmp(&other.priority);
        order.then_with(|| self.sequence.cmp(&other.sequence))
    }

    fn is_less(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Less
    }
}

impl<P: Ord, T> Store for Priorities<P, T> {
    type Item = (P, T);
    type Slot = Entry<P, T>;
    const CALLS_USER_CODE: bool = true;

    fn push(&mut self, item: &mut Option<(P, T)>) {
        let Some((priority, _)) = item else { return };
        let place = self
            .heap
            .place(|other| (*priority).cmp(&other.priority) == Ordering::Less);
        if let Some((priority, item)) = item.take() {
            let sequence = self.next;
            self.next += 1;
            self.heap.insert(
                place,
                Entry {
                    priority,
                    sequence,
                    item,
                },
            );
        }
    }

    fn pop(&mut self) -> Option<(P, T)> {
        let entry = self.heap.pop(Entry::is_less)?;
        Some((entry.priority, entry.item))
    }

    fn len(&self) -> usize {
        self.heap.elements.len()
    }

    fn buffer(&mut self) -> &mut Vec<Entry<P, T>> {
        &mut self.heap.elements
    }

    fn sort(&self, order: &mut Vec<usize>) {
        let entries = &self.heap.elements;
        order.clear();
        order.extend(0..entries.len());
        // The unstable sort does not allocate; entries are never equal.
        order.sort_unstable_by(|&a, &b| entries[a].order(&entries[b]));
    }

    fn arrange(slots: Vec<Entry<P, T>>, order: &[usize]) -> Vec<(P, T)> {
        let mut slots: Vec<_> = slots.into_iter().map(Some).collect();
        let sorted = order.iter().filter_map(|&index| slots[index].take());
        sorted.map(|entry| (entry.priority, entry.item)).collect()
    }
}

impl<P: Ord, T> PriorityQueue<P, T> {
    /// Makes a queue that holds at most `capacity` items.
    ///
    /// # Panics
    /// If `capacity` is 0: an item could never be put.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "{NO_ROOM}");
        Self::with_capacity(capacity)
    }

    /// Makes a queue without bound: a put never waits.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::with_capacity(usize::MAX)
    }

    fn with_capacity(capacity: usize) -> Self {
        let store = Priorities {
            heap: Heap::new(),
            next: 0,
        };
        Self {
            engine: Arc::new(Locked::new(store, capacity)),
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
