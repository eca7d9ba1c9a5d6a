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

use super::Shutdown;
use super::segment::{Chain, Cursor};
use super::task_count::TaskCount;
use crate::backoff::Backoff;
use crate::error::{GetError, PutError};
use crate::imp::SideLock;
use crate::imp::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::signal::{Signal, WaitList};
use crossbeam_utils::CachePadded;
use std::time::Instant;

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

/// A side's lock and the number it publishes: one cache line, written by the same threads.
struct Published<S> {
    side: SideLock<S>,
    count: AtomicUsize,
}

/// The engine; `Queue` is a shared handle on it.
pub(super) struct Fifo<T> {
    put: CachePadded<Published<PutSide<T>>>,
    get: CachePadded<Published<GetSide<T>>>,
    tasks: CachePadded<TaskCount>,
    capacity: usize,
    closed: AtomicBool,
    chain: Chain<T>,
}

/// Why a put did not happen, and its item.
enum NoRoom<T> {
    /// There was no room when `head` items had been taken.
    Full {
        item: T,
        head: usize,
    },
    Closed(T),
}

impl<T> Fifo<T> {
    pub(super) fn new(capacity: usize) -> Self {
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
            put: CachePadded::new(Published {
                side: SideLock::new(put),
                count: AtomicUsize::new(0),
            }),
            get: CachePadded::new(Published {
                side: SideLock::new(get),
                count: AtomicUsize::new(0),
            }),
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

    /// Puts if there is room.
    #[inline]
    fn offer(&self, item: T) -> Result<(), NoRoom<T>> {
        let getter = self.put.side.with(|side| {
            if side.closed {
                return Err(NoRoom::Closed(item));
            }
            if side.tail.wrapping_sub(side.head_seen) >= self.capacity {
                // Acquire pairs with the Release in `take`: the slot's former item was moved out.
                let head = self.get.count.load(Ordering::Acquire);
                side.head_seen = head;
                if side.tail.wrapping_sub(head) >= self.capacity {
                    return Err(NoRoom::Full { item, head });
                }
            }
            // SAFETY: this thread holds the put side, and fewer than `capacity` items are unread.
            unsafe { self.chain.write(&mut side.cursor, item) };
            side.tail = side.tail.wrapping_add(1);
            // Release pairs with the Acquire in `take`: the item is written.
            self.put.count.store(side.tail, Ordering::Release);
            Ok(side.getters.pop())
        })?;
        if let Some(getter) = getter {
            getter.notify();
        }
        Ok(())
    }

    /// Puts without waiting.
    #[inline]
    pub(super) fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.offer(item).map_err(|refused| match refused {
            NoRoom::Full { item, .. } => PutError::Full(item),
            NoRoom::Closed(item) => PutError::Closed(item),
        })
    }

    /// Puts, waiting for room until the deadline.
    #[inline]
    pub(super) fn put(
        &self,
        item: T,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<T>> {
        match self.offer(item) {
            Ok(()) => Ok(()),
            Err(NoRoom::Closed(item)) => Err(PutError::Closed(item)),
            Err(NoRoom::Full { item, head }) => self.put_slowly(item, head, deadline()),
        }
    }

    #[cold]
    fn put_slowly(
        &self,
        mut item: T,
        mut head: usize,
        deadline: Option<Instant>,
    ) -> Result<(), PutError<T>> {
        loop {
            let moved = self.spin_while(|| self.get.count.load(Ordering::Relaxed) == head);
            let timed_out = !moved && !self.sleep_until_taken(head, deadline);
            match self.offer(item) {
                Ok(()) => return Ok(()),
                Err(NoRoom::Closed(item)) => return Err(PutError::Closed(item)),
                Err(NoRoom::Full { item, .. }) if timed_out => {
                    return Err(PutError::TimedOut(item));
                }
                Err(NoRoom::Full {
                    item: back,
                    head: now,
                }) => (item, head) = (back, now),
            }
        }
    }

    /// Sleeps until an item is taken or the queue closes (true), or until the deadline (false).
    fn sleep_until_taken(&self, head: usize, deadline: Option<Instant>) -> bool {
        let signal = Signal::new();
        let listed = self.get.side.with(|side| {
            let wait = side.head == head && !side.closed;
            if wait {
                side.putters.push(signal.clone());
            }
            wait
        });
        // A putter that is taken off the list as its time runs out tries once more in any case, so a
        // wake-up is never lost with it.
        !listed || signal.wait(deadline) || !self.get.side.with(|side| side.putters.remove(&signal))
    }

    /// Takes an item if there is one; else tells the value of `tail` at which there was none.
    #[inline]
    fn take(&self) -> Result<T, usize> {
        let (item, putter) = self.get.side.with(|side| {
            if side.head == side.tail_seen {
                // Acquire pairs with the Release in `offer`: the item is written.
                side.tail_seen = self.put.count.load(Ordering::Acquire);
                if side.head == side.tail_seen {
                    return Err(side.head);
                }
            }
            // SAFETY: this thread holds the get side, and an item between `head` and `tail` is published.
            let item = unsafe { self.chain.read(&mut side.cursor) };
            side.head = side.head.wrapping_add(1);
            // Release pairs with the Acquire in `offer`: the slot is free.
            self.get.count.store(side.head, Ordering::Release);
            Ok((item, side.putters.pop()))
        })?;
        if let Some(putter) = putter {
            putter.notify();
        }
        Ok(item)
    }

    /// Takes without waiting.
    #[inline]
    pub(super) fn try_get(&self) -> Result<T, GetError> {
        if let Ok(item) = self.take() {
            return Ok(item);
        }
        if !self.is_closed() {
            return Err(GetError::Empty);
        }
        // Nothing is put after closing, so a second look is final.
        self.take().map_err(|_| GetError::Closed)
    }

    /// Takes, waiting for an item until the deadline.
    #[inline]
    pub(super) fn get(&self, deadline: impl FnOnce() -> Option<Instant>) -> Result<T, GetError> {
        match self.take() {
            Ok(item) => Ok(item),
            Err(tail) => self.get_slowly(tail, deadline()),
        }
    }

    #[cold]
    fn get_slowly(&self, mut tail: usize, deadline: Option<Instant>) -> Result<T, GetError> {
        loop {
            let moved = self.spin_while(|| self.put.count.load(Ordering::Relaxed) == tail);
            let timed_out = !moved && !self.sleep_until_put(tail, deadline);
            let closed = self.is_closed();
            match self.take() {
                Ok(item) => return Ok(item),
                Err(_) if closed => return Err(GetError::Closed),
                Err(_) if timed_out => return Err(GetError::TimedOut),
                Err(now) => tail = now,
            }
        }
    }

    /// Sleeps until an item is put or the queue closes (true), or until the deadline (false).
    fn sleep_until_put(&self, tail: usize, deadline: Option<Instant>) -> bool {
        let signal = Signal::new();
        let listed = self.put.side.with(|side| {
            let wait = side.tail == tail && !side.closed;
            if wait {
                side.getters.push(signal.clone());
            }
            wait
        });
        // As in `sleep_until_taken`: the caller tries once more in any case.
        !listed || signal.wait(deadline) || !self.put.side.with(|side| side.getters.remove(&signal))
    }

    /// Spins a little while `same` holds. True: it no longer does, or the queue was closed.
    #[inline]
    fn spin_while(&self, same: impl Fn() -> bool) -> bool {
        let mut backoff = Backoff::new();
        loop {
            if !same() || self.is_closed() {
                return true;
            }
            if !backoff.snooze() {
                return false;
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
