//! The first-in first-out engine: two sides that rarely meet.
//!
//! Each side has a lock of its own. The put side publishes `tail`, the number of items ever put; the get
//! side publishes `head`, the number ever taken. Each keeps the other's last seen number and looks again
//! only when that one says full or empty, so a busy pair of threads hardly exchanges cache lines.
//!
//! A getter that finds nothing enters its waiter into a list *under the put side's lock*, a putter that finds no room
//! under the get side's: the thread that changes the number holds the lock of the list. Waiters are notified, items
//! dropped, and memory is allocated and freed without a lock: no user code runs under one, the global allocator
//! included.
//!
//! Lock order: get side, then put side.

mod get;
mod put;
mod segment;

use super::Shutdown;
use super::task_count::TaskCount;
use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::park::{Backoff, SideLock, WaitList};
use crossbeam_utils::CachePadded;
use segment::{Cursor, Emptied, SegmentList};

struct PutSide<T> {
    cursor: Cursor<T>,
    /// Equals `Fifo::tail`.
    tail: usize,
    /// A past value of `Fifo::head`.
    head_seen: usize,
    closed: bool,
    /// Getters that sleep until `tail` moves.
    getters: WaitList,
}

struct GetSide<T> {
    cursor: Cursor<T>,
    /// Equals `Fifo::head`.
    head: usize,
    /// A past value of `Fifo::tail`.
    tail_seen: usize,
    closed: bool,
    /// Putters that sleep until `head` moves.
    putters: WaitList,
}

/// A side's lock and the number it publishes.
///
/// The number has a cache line of its own: the other side's look at it then costs this side a buffered
/// store, not a stalled exchange on its lock.
struct Published<S> {
    side: CachePadded<SideLock<S>>,
    count: CachePadded<AtomicUsize>,
}

impl<S> Published<S> {
    fn new(side: S) -> Self {
        Self {
            side: CachePadded::new(SideLock::new(side)),
            count: CachePadded::new(AtomicUsize::new(0)),
        }
    }
}

/// The first pause of a thread that found nothing, or no room: long in a roomy queue, so that the other side
/// gets several items done before it is looked at again, since each look costs it a cache miss; none in
/// a tight one, where each item has to be handed over.
fn first_pause(capacity: usize) -> u32 {
    if capacity >= 16 { 6 } else { 0 }
}

/// The engine; `Queue` is a shared handle on it.
pub(crate) struct Fifo<T> {
    put: Published<PutSide<T>>,
    get: Published<GetSide<T>>,
    tasks: CachePadded<TaskCount>,
    capacity: usize,
    closed: AtomicBool,
    segments: SegmentList<T>,
}

impl<T> Fifo<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let (segments, writer, reader) = SegmentList::new(capacity);
        let put = PutSide {
            cursor: writer,
            tail: 0,
            head_seen: 0,
            closed: false,
            getters: WaitList::new(),
        };
        let get = GetSide {
            cursor: reader,
            head: 0,
            tail_seen: 0,
            closed: false,
            putters: WaitList::new(),
        };
        Self {
            put: Published::new(put),
            get: Published::new(get),
            tasks: CachePadded::new(TaskCount::new()),
            capacity,
            closed: AtomicBool::new(false),
            segments,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        // `head` first: the difference is then never negative, only perhaps larger than the capacity.
        let head = self.get.count.load(Ordering::Acquire);
        let tail = self.put.count.load(Ordering::Acquire);
        tail.wrapping_sub(head).min(self.capacity)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn tasks(&self) -> &TaskCount {
        &self.tasks
    }

    /// How many items were ever put.
    pub(super) fn put_count(&self) -> usize {
        self.put.count.load(Ordering::Acquire)
    }

    /// How many items were ever taken.
    pub(super) fn taken_count(&self) -> usize {
        self.get.count.load(Ordering::Acquire)
    }

    /// Spins a little while `same` holds. True: it no longer does, or the queue was closed.
    #[inline]
    fn spin_while(&self, same: impl Fn() -> bool) -> bool {
        let mut backoff = Backoff::from_round(first_pause(self.capacity));
        loop {
            if !backoff.snooze() {
                return false;
            }
            if !same() || self.is_closed() {
                return true;
            }
        }
    }

    /// Closes the queue and wakes every waiter.
    pub(super) fn close(&self) {
        let (getters, putters) = self.get.side.with(|get| {
            self.put.side.with(|put| {
                put.closed = true;
                get.closed = true;
                self.closed.store(true, Ordering::Release);
                let getters = std::mem::take(&mut put.getters);
                (getters, std::mem::take(&mut get.putters))
            })
        });
        getters.notify_all();
        putters.notify_all();
    }

    /// Closes the queue, wakes every waiter, and returns the items that are dropped with it.
    pub(super) fn shutdown(&self, how: Shutdown) -> Vec<T> {
        self.close();
        let mut dropped = Vec::new();
        if how == Shutdown::Immediate {
            // Nothing is put any more: a batch that finds nothing is the end.
            while self.take_many(&mut dropped, usize::MAX).is_ok() {}
            self.tasks.discard(dropped.len(), || self.put_count());
        }
        dropped
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        let mut items = Vec::new();
        while self.take_many(&mut items, usize::MAX).is_ok() {}
        self.get.side.with(|get| {
            // SAFETY: `&mut self` excludes other users, and every item was read just now.
            unsafe { self.segments.free(&mut get.cursor) };
        });
    }
}
