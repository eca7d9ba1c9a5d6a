//! The get side.

use super::{Emptied, Fifo, GetSide};
use crate::error::GetError;
use crate::park::sys::atomic::Ordering;
use crate::park::{Entry, Waiter};
use std::sync::Arc;
use std::time::Instant;

impl<T> Fifo<T> {
    /// Takes an item if there is one; the error is the value of `tail` at which there was none.
    #[inline]
    fn take(&self) -> Result<T, usize> {
        let mut emptied = Emptied::none();
        let (item, putter) = self.get.side.with(|side| {
            if side.head == side.tail_seen && self.available(side) == 0 {
                return Err(side.head);
            }
            // SAFETY: this thread holds the get side, and an item between `head` and `tail` is published.
            let item = unsafe { self.segments.read(&mut side.cursor, &mut emptied) };
            self.free(side, 1);
            Ok((item, side.putters.pop()))
        })?;
        self.segments.recycle(emptied);
        if let Some(putter) = putter {
            putter.notify();
        }
        Ok(item)
    }

    /// Looks at the put side, and returns how many items are there to be taken.
    #[inline]
    fn available(&self, side: &mut GetSide<T>) -> usize {
        // Acquire pairs with the Release in `Fifo::publish`: the items are written.
        side.tail_seen = self.put.count.load(Ordering::Acquire);
        side.tail_seen.wrapping_sub(side.head)
    }

    /// Publishes that the slots of `n` items are free.
    #[inline]
    fn free(&self, side: &mut GetSide<T>, n: usize) {
        side.head = side.head.wrapping_add(n);
        // Release pairs with the Acquire in `Fifo::room`: the items were moved out.
        self.get.count.store(side.head, Ordering::Release);
    }

    /// Takes without waiting.
    #[inline]
    pub(crate) fn try_get(&self) -> Result<T, GetError> {
        self.try_with(|| self.take())
    }

    /// Takes, waiting for an item until the deadline.
    #[inline]
    pub(in crate::queue) fn get(
        &self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<T, GetError> {
        match self.take() {
            Ok(item) => Ok(item),
            Err(tail) => self.get_slowly(|| self.take(), tail, deadline()),
        }
    }

    /// Takes up to `max` items that are there, into the spare room of `items`.
    pub(super) fn take_many(&self, items: &mut Vec<T>, max: usize) -> Result<usize, usize> {
        // The room is made before locking; what is put meanwhile has to wait for the next call.
        items.reserve(max.min(self.len()).max(1));
        let room = max.min(items.capacity() - items.len());
        let mut emptied = Emptied::none();
        let (n, putters) = self.get.side.with(|side| {
            let n = self.available(side).min(room);
            if n == 0 && max > 0 {
                return Err(side.head);
            }
            for _ in 0..n {
                // SAFETY: this thread holds the get side, and `n` items after `head` are published.
                items.push(unsafe { self.segments.read(&mut side.cursor, &mut emptied) });
            }
            self.free(side, n);
            Ok((n, side.putters.pop_many(n)))
        })?;
        self.segments.recycle(emptied);
        putters.notify_all();
        Ok(n)
    }

    /// Takes up to `max` items without waiting.
    pub(in crate::queue) fn try_get_many(
        &self,
        items: &mut Vec<T>,
        max: usize,
    ) -> Result<usize, GetError> {
        self.try_with(|| self.take_many(items, max))
    }

    /// Takes up to `max` items, waiting for the first until the deadline.
    pub(in crate::queue) fn get_many(
        &self,
        items: &mut Vec<T>,
        max: usize,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<usize, GetError> {
        match self.take_many(items, max) {
            Ok(n) => Ok(n),
            Err(tail) => self.get_slowly(|| self.take_many(items, max), tail, deadline()),
        }
    }

    /// Tries `take`, and tells an empty queue from a closed one.
    #[inline]
    fn try_with<R>(&self, mut take: impl FnMut() -> Result<R, usize>) -> Result<R, GetError> {
        if let Ok(taken) = take() {
            return Ok(taken);
        }
        if !self.is_closed() {
            return Err(GetError::Empty);
        }
        // Nothing is put after closing, so a second look is final.
        take().map_err(|_| GetError::Closed)
    }

    #[cold]
    fn get_slowly<R>(
        &self,
        mut take: impl FnMut() -> Result<R, usize>,
        mut tail: usize,
        deadline: Option<Instant>,
    ) -> Result<R, GetError> {
        loop {
            let moved = self.spin_while(|| self.put.count.load(Ordering::Relaxed) == tail);
            let timed_out = !moved && !self.sleep_until_put(tail, deadline);
            let closed = self.is_closed();
            match take() {
                Ok(taken) => return Ok(taken),
                Err(_) if closed => return Err(GetError::Closed),
                Err(_) if timed_out => return Err(GetError::TimedOut),
                Err(now) => tail = now,
            }
        }
    }

    /// Sleeps until an item is put or the queue closes (true), or until the deadline (false).
    fn sleep_until_put(&self, tail: usize, deadline: Option<Instant>) -> bool {
        let waiter = Waiter::new();
        let mut entry = Some(Entry::new(waiter.clone()));
        self.put.side.with(|side| {
            if side.tail == tail
                && !side.closed
                && let Some(entry) = entry.take()
            {
                side.getters.push(entry);
            }
        });
        if entry.is_some() || waiter.wait(deadline) {
            return true;
        }
        // As in `sleep_until_taken`: the caller tries once more in any case.
        let removed = self.put.side.with(|side| side.getters.remove(&waiter));
        removed.is_none()
    }

    /// Enters a waiter into the list of getters. Its thread must look again before it sleeps.
    pub(in crate::queue) fn listen(&self, waiter: Arc<Waiter>) {
        let entry = Entry::new(waiter);
        self.put.side.with(|side| side.getters.push(entry));
    }

    /// Takes a waiter off the list. If it was woken, the next getter is: the item is still there.
    pub(in crate::queue) fn unlisten(&self, waiter: &Arc<Waiter>) {
        let (removed, next) = self.put.side.with(|side| {
            let removed = side.getters.remove(waiter);
            let pass_on = removed.is_none() && !self.is_empty();
            let next = if pass_on { side.getters.pop() } else { None };
            (removed, next)
        });
        drop(removed);
        if let Some(next) = next {
            next.notify();
        }
    }
}
