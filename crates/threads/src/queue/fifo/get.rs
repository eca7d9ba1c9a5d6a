//! The get side.

use super::Fifo;
use crate::error::GetError;
use crate::park::Waiter;
use crate::park::sys::atomic::Ordering;
use std::sync::Arc;
use std::time::Instant;

impl<T> Fifo<T> {
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
    fn take_many(&self, items: &mut Vec<T>, max: usize) -> Result<usize, usize> {
        // The room is made before locking; what is put meanwhile has to wait for the next call.
        items.reserve(max.min(self.len()).max(1));
        let room = max.min(items.capacity() - items.len());
        let (n, putters) = self.get.side.with(|side| {
            // Acquire pairs with the Release in `offer`: the items are written.
            side.tail_seen = self.put.count.load(Ordering::Acquire);
            let n = side.tail_seen.wrapping_sub(side.head).min(room);
            if n == 0 && max > 0 {
                return Err(side.head);
            }
            for _ in 0..n {
                // SAFETY: this thread holds the get side, and `n` items after `head` are published.
                items.push(unsafe { self.chain.read(&mut side.cursor) });
            }
            side.head = side.head.wrapping_add(n);
            // Release pairs with the Acquire in `offer`: the slots are free.
            self.get.count.store(side.head, Ordering::Release);
            Ok((n, side.putters.pop_many(n)))
        })?;
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
        let listed = self.put.side.with(|side| {
            let wait = side.tail == tail && !side.closed;
            if wait {
                side.getters.push(waiter.clone());
            }
            wait
        });
        // As in `sleep_until_taken`: the caller tries once more in any case.
        !listed || waiter.wait(deadline) || !self.put.side.with(|side| side.getters.remove(&waiter))
    }

    /// Puts a sleeper on the list of getters; it must look again before it sleeps.
    pub(in crate::queue) fn listen(&self, waiter: Arc<Waiter>) {
        self.put.side.with(|side| side.getters.push(waiter));
    }

    /// Takes a sleeper off the list. If it was woken, the next getter is: the item is still there.
    pub(in crate::queue) fn unlisten(&self, waiter: &Arc<Waiter>) {
        let next = self.put.side.with(|side| {
            let pass_on = !side.getters.remove(waiter) && !self.is_empty();
            if pass_on { side.getters.pop() } else { None }
        });
        if let Some(next) = next {
            next.notify();
        }
    }
}
