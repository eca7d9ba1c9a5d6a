//! Queues between tasks.

use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    fmt,
};

use super::waiters::Waiters;
use crate::error::{GetError, PutError, TooManyDone};

/// How a queue holds its items.
pub trait Store: Default {
    /// What it holds.
    type Item;
    /// Takes an item in.
    fn push(&mut self, item: Self::Item);
    /// Gives the next item out.
    fn pop(&mut self) -> Option<Self::Item>;
    /// How many it holds.
    fn len(&self) -> usize;
    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// First in, first out.
#[doc(hidden)]
#[derive(Debug)]
pub struct Fifo<T>(VecDeque<T>);

/// Last in, first out.
#[doc(hidden)]
#[derive(Debug)]
pub struct Lifo<T>(Vec<T>);

/// The smallest first, equal ones in the order in which they came.
#[doc(hidden)]
pub struct Priority<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    next: u64,
}

struct Entry<T> {
    item: T,
    age: u64,
}

impl<T: Ord> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.item.cmp(&other.item).then(self.age.cmp(&other.age))
    }
}

impl<T: Ord> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for Entry<T> {}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo(VecDeque::new())
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Lifo(Vec::new())
    }
}

impl<T: Ord> Default for Priority<T> {
    fn default() -> Self {
        Priority {
            heap: BinaryHeap::new(),
            next: 0,
        }
    }
}

impl<T> Store for Fifo<T> {
    type Item = T;
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Store for Lifo<T> {
    type Item = T;
    fn push(&mut self, item: T) {
        self.0.push(item);
    }
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T: Ord> Store for Priority<T> {
    type Item = T;
    fn push(&mut self, item: T) {
        let age = self.next;
        self.next += 1;
        self.heap.push(Reverse(Entry { item, age }));
    }
    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(entry)| entry.item)
    }
    fn len(&self) -> usize {
        self.heap.len()
    }
}

/// How a queue is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// What is in it can still be got.
    Drain,
    /// What is in it is dropped, and counts as done.
    Immediate,
}

/// A queue between tasks, first in, first out; [`LifoQueue`] and [`PriorityQueue`] differ only in their order.
///
/// With a size it is bounded: `put` waits while it is full. `get` waits while it is empty. Both are safe to cancel: no
/// item is lost, and the next in line is woken. Each item that was got is to be reported with
/// [`task_done`](BaseQueue::task_done); [`join`](BaseQueue::join) waits until all are.
///
/// ```
/// use std::rc::Rc;
///
/// use aio::sync::Queue;
///
/// aio::run(async {
///     let queue = Rc::new(Queue::bounded(2));
///     let input = queue.clone();
///     let producer = aio::create_task(async move {
///         for number in 0..5 {
///             input.put(number).await.unwrap();
///         }
///     });
///     for expected in 0..5 {
///         assert_eq!(queue.get().await, Ok(expected));
///         queue.task_done().unwrap();
///     }
///     producer.await.unwrap();
///     queue.join().await;
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub type Queue<T> = BaseQueue<Fifo<T>>;

/// A queue that gives the latest item first; see [`Queue`].
pub type LifoQueue<T> = BaseQueue<Lifo<T>>;

/// A queue that gives the smallest item first, equal ones in the order in which they came; see [`Queue`].
///
/// ```
/// use aio::sync::PriorityQueue;
///
/// let queue = PriorityQueue::unbounded();
/// for item in [(2, "b"), (1, "a"), (3, "c")] {
///     queue.try_put(item).unwrap();
/// }
/// assert_eq!(queue.try_get(), Ok((1, "a")));
/// ```
pub type PriorityQueue<T> = BaseQueue<Priority<T>>;

/// What all queues can do; see [`Queue`].
pub struct BaseQueue<S: Store> {
    items: RefCell<S>,
    /// Zero is no bound.
    size: usize,
    unfinished: Cell<usize>,
    shut: Cell<bool>,
    getters: Waiters,
    putters: Waiters,
    joiners: Waiters,
}

impl<S: Store> BaseQueue<S> {
    /// A queue of at most `size` items; zero is no bound, as in Python.
    pub fn bounded(size: usize) -> Self {
        BaseQueue {
            items: RefCell::default(),
            size,
            unfinished: Cell::new(0),
            shut: Cell::new(false),
            getters: Waiters::default(),
            putters: Waiters::default(),
            joiners: Waiters::default(),
        }
    }

    /// A queue without bound.
    pub fn unbounded() -> Self {
        BaseQueue::bounded(0)
    }

    /// Puts an item in, waiting while the queue is full.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`] with the item, when the queue is shut down.
    pub async fn put(&self, mut item: S::Item) -> Result<(), PutError<S::Item>> {
        loop {
            match self.try_put(item) {
                Err(PutError::Full(back)) => item = back,
                other => return other,
            }
            // One who was called and has left passes the call on, if there still is room.
            self.putters.wait(|| self.call_putter()).await;
        }
    }

    /// Puts an item in, if there is room.
    ///
    /// # Errors
    ///
    /// [`PutError::Full`] or [`PutError::Closed`], with the item.
    pub fn try_put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        if self.shut.get() {
            return Err(PutError::Closed(item));
        }
        if self.is_full() {
            return Err(PutError::Full(item));
        }
        self.items.borrow_mut().push(item);
        self.unfinished.set(self.unfinished.get() + 1);
        self.getters.call_one();
        Ok(())
    }

    /// Takes the next item out, waiting while the queue is empty.
    ///
    /// # Errors
    ///
    /// [`GetError::Closed`], when the queue is shut down and empty.
    pub async fn get(&self) -> Result<S::Item, GetError> {
        loop {
            match self.try_get() {
                Err(GetError::Empty) => {}
                other => return other,
            }
            self.getters.wait(|| self.call_getter()).await;
        }
    }

    /// Takes the next item out, if there is one.
    ///
    /// # Errors
    ///
    /// [`GetError::Empty`], or [`GetError::Closed`] when none can come any more.
    pub fn try_get(&self) -> Result<S::Item, GetError> {
        let item = self.items.borrow_mut().pop();
        match item {
            Some(item) => {
                self.putters.call_one();
                Ok(item)
            }
            None if self.shut.get() => Err(GetError::Closed),
            None => Err(GetError::Empty),
        }
    }

    /// Says that the work on an item that was got is done.
    ///
    /// # Errors
    ///
    /// [`TooManyDone`], when it was said for every item already.
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        let unfinished = self.unfinished.get().checked_sub(1).ok_or(TooManyDone)?;
        self.finish(unfinished);
        Ok(())
    }

    fn finish(&self, unfinished: usize) {
        self.unfinished.set(unfinished);
        if unfinished == 0 {
            self.joiners.call_all();
        }
    }

    /// Waits until every item that was put in is done.
    pub async fn join(&self) {
        while self.unfinished.get() > 0 {
            self.joiners.wait(|| ()).await;
        }
    }

    /// Takes no more items: `put` fails at once, `get` when nothing is left.
    pub fn shutdown(&self, how: Shutdown) {
        self.shut.set(true);
        if how == Shutdown::Immediate {
            let dropped = self.items.take();
            self.finish(self.unfinished.get().saturating_sub(dropped.len()));
            drop(dropped);
        }
        self.getters.call_all();
        self.putters.call_all();
    }

    /// Whether it was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.shut.get()
    }

    /// How many items it holds.
    pub fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `put` would wait.
    pub fn is_full(&self) -> bool {
        self.size > 0 && self.len() >= self.size
    }

    /// The most items it holds; zero is no bound.
    pub fn max_size(&self) -> usize {
        self.size
    }

    fn call_getter(&self) {
        if !self.is_empty() || self.shut.get() {
            self.getters.call_one();
        }
    }

    fn call_putter(&self) {
        if !self.is_full() || self.shut.get() {
            self.putters.call_one();
        }
    }
}

impl<S: Store> fmt::Debug for BaseQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("max_size", &self.size)
            .field("unfinished", &self.unfinished.get())
            .field("shut_down", &self.shut.get())
            .finish()
    }
}
