//! The put side.

use super::Fifo;
use crate::error::PutError;
use crate::park::Waiter;
use crate::park::sys::atomic::Ordering;
use std::time::Instant;
use std::vec::Drain;

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
    pub(crate) fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.offer(item).map_err(|refused| match refused {
            NoRoom::Full { item, .. } => PutError::Full(item),
            NoRoom::Closed(item) => PutError::Closed(item),
        })
    }

    /// Puts, waiting for room until the deadline.
    #[inline]
    pub(in crate::queue) fn put(
        &self,
        item: T,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<T>> {
        match self.offer(item) {
            Ok(()) => Ok(()),
            Err(NoRoom::Closed(item)) => Err(PutError::Closed(item)),
            Err(NoRoom::Full { item, head }) => {
                self.put_slowly(|item| self.offer(item), item, head, deadline())
            }
        }
    }

    /// Puts as many as there is room for. `Full` if some are left.
    fn offer_many(&self, items: &mut Drain<'_, T>) -> Result<(), NoRoom<()>> {
        let (getters, head) = self.put.side.with(|side| {
            if side.closed {
                return Err(NoRoom::Closed(()));
            }
            let mut room = self.capacity - side.tail.wrapping_sub(side.head_seen);
            if room < items.len() {
                // Acquire: as in `offer`.
                side.head_seen = self.get.count.load(Ordering::Acquire);
                room = self.capacity - side.tail.wrapping_sub(side.head_seen);
            }
            let before = items.len();
            for item in items.take(room) {
                // SAFETY: this thread holds the put side, and fewer than `capacity` items are unread.
                unsafe { self.chain.write(&mut side.cursor, item) };
            }
            let n = before - items.len();
            side.tail = side.tail.wrapping_add(n);
            // Release: as in `offer`.
            self.put.count.store(side.tail, Ordering::Release);
            Ok((side.getters.pop_many(n), side.head_seen))
        })?;
        getters.notify_all();
        match items.len() {
            0 => Ok(()),
            _ => Err(NoRoom::Full { item: (), head }),
        }
    }

    /// Puts as many as there is room for, without waiting.
    pub(in crate::queue) fn try_put_many(
        &self,
        items: &mut Drain<'_, T>,
    ) -> Result<(), PutError<()>> {
        self.offer_many(items).map_err(|refused| match refused {
            NoRoom::Full { .. } => PutError::Full(()),
            NoRoom::Closed(()) => PutError::Closed(()),
        })
    }

    /// Puts all, waiting for room until the deadline. What was not put is left.
    pub(in crate::queue) fn put_many(
        &self,
        items: &mut Drain<'_, T>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<()>> {
        match self.offer_many(items) {
            Ok(()) => Ok(()),
            Err(NoRoom::Closed(())) => Err(PutError::Closed(())),
            Err(NoRoom::Full { head, .. }) => {
                self.put_slowly(|()| self.offer_many(items), (), head, deadline())
            }
        }
    }

    #[cold]
    fn put_slowly<I>(
        &self,
        mut offer: impl FnMut(I) -> Result<(), NoRoom<I>>,
        mut item: I,
        mut head: usize,
        deadline: Option<Instant>,
    ) -> Result<(), PutError<I>> {
        loop {
            let moved = self.spin_while(|| self.get.count.load(Ordering::Relaxed) == head);
            let timed_out = !moved && !self.sleep_until_taken(head, deadline);
            match offer(item) {
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
        let waiter = Waiter::new();
        let listed = self.get.side.with(|side| {
            let wait = side.head == head && !side.closed;
            if wait {
                side.putters.push(waiter.clone());
            }
            wait
        });
        // A putter that is taken off the list as its time runs out tries once more in any case, so a
        // wake-up is never lost with it.
        !listed || waiter.wait(deadline) || !self.get.side.with(|side| side.putters.remove(&waiter))
    }
}
