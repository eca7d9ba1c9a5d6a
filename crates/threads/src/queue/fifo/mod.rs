//! The first-in first-out engine: two sides that rarely meet.
//!
//! Each side has a lock of its own. The put side publishes `tail`, the number of items ever put; the get
//! side publishes `head`, the number ever taken. Each keeps the other's last seen number and looks again
//! only when that one says full or empty, so a busy pair of threads hardly exchanges cache lines.
//!
//! A getter that finds nothing goes to sleep *under the put side's lock*, a putter that finds no room
//! under the get side's: whoever changes the number that is waited for holds the lock of the list. Waking
//! happens after unlocking, items are dropped after unlocking, and no code of the user runs under a lock.
//!
//! Lock order: get side, then put side.

mod get;
mod put;

use super::Shutdown;
use super::segment::{Chain, Cursor};
use super::task_count::TaskCount;
use crate::park::Backoff;
use crate::park::SideLock;
use crate::park::WaitList;
use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crossbeam_utils::CachePadded;

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
    chain: Chain<T>,
}

impl<T> Fifo<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let (chain, writer, reader) = Chain::new(capacity);
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
            chain,
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

    /// Closes the queue, wakes everyone, and gives back the items that are dropped with it.
    pub(super) fn shutdown(&self, how: Shutdown) -> Vec<T> {
        let (dropped, getters, putters) = self.get.side.with(|get| {
            self.put.side.with(|put| {
                put.closed = true;
                get.closed = true;
                self.closed.store(true, Ordering::Release);
                let dropped = match how {
                    Shutdown::Drain => Vec::new(),
                    Shutdown::Immediate => self.take_all(get, put.tail),
                };
                let getters = std::mem::take(&mut put.getters);
                (dropped, getters, std::mem::take(&mut get.putters))
            })
        });
        getters.notify_all();
        putters.notify_all();
        self.tasks.discard(dropped.len(), || self.put_count());
        dropped
    }

    fn take_all(&self, side: &mut GetSide<T>, tail: usize) -> Vec<T> {
        let mut items = Vec::with_capacity(tail.wrapping_sub(side.head));
        while side.head != tail {
            // SAFETY: the caller holds both sides, so every item up to `tail` is published and visible.
            items.push(unsafe { self.chain.read(&mut side.cursor) });
            side.head = side.head.wrapping_add(1);
        }
        side.tail_seen = tail;
        self.get.count.store(tail, Ordering::Release);
        items
    }
}

impl<T> Drop for Fifo<T> {
    fn drop(&mut self) {
        let tail = self.put.side.with(|put| put.tail);
        let items = self.get.side.with(|get| self.take_all(get, tail));
        self.get.side.with(|get| {
            // SAFETY: `&mut self` excludes other users, and every item was read just now.
            unsafe { self.chain.free(&mut get.cursor) };
        });
        drop(items);
    }
}
