//! The put side.

use super::segment::Fresh;
use super::{Fifo, PutSide};
use crate::error::PutError;
use crate::park::sys::atomic::Ordering;
use crate::park::{Entry, Waiter};
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
    /// There is room, but a segment has to be allocated for it first.
    NoSegment(T),
}

impl<T> Fifo<T> {
    /// Puts if there is room.
    #[inline]
    fn offer(&self, item: T) -> Result<(), NoRoom<T>> {
        match self.offer_into(item, &mut Fresh::none()) {
            Err(NoRoom::NoSegment(item)) => self.offer_fresh(item),
            other => other,
        }
    }

    /// Allocates a segment, then puts if there is room.
    #[cold]
    fn offer_fresh(&self, mut item: T) -> Result<(), NoRoom<T>> {
        let mut fresh = Fresh::none();
        let outcome = loop {
            self.segments.allocate(&mut fresh);
            match self.offer_into(item, &mut fresh) {
                Err(NoRoom::NoSegment(back)) => item = back,
                other => break other,
            }
        };
        self.segments.release(fresh);
        outcome
    }

    #[inline]
    fn offer_into(&self, item: T, fresh: &mut Fresh<T>) -> Result<(), NoRoom<T>> {
        let getter = self.put.side.with(|side| {
            if side.closed {
                return Err(NoRoom::Closed(item));
            }
            if self.room(side, 1) == 0 {
                let head = side.head_seen;
                return Err(NoRoom::Full { item, head });
            }
            if self.segments.room(&mut side.cursor, fresh) == 0 {
                return Err(NoRoom::NoSegment(item));
            }
            // SAFETY: this thread holds the put side, there is a slot, and fewer than `capacity` items are unread.
            unsafe { self.segments.write(&mut side.cursor, item) };
            self.publish(side, 1);
            Ok(side.getters.pop())
        })?;
        if let Some(getter) = getter {
            getter.notify();
        }
        Ok(())
    }

    /// Returns how many items may be put, looking at the other side only if these are fewer than `wanted`.
    #[inline]
    fn room(&self, side: &mut PutSide<T>, wanted: usize) -> usize {
        let room = self.capacity - side.tail.wrapping_sub(side.head_seen);
        if room >= wanted {
            return room;
        }
        // Acquire pairs with the Release in `Fifo::free`: the former items of the slots were moved out.
        side.head_seen = self.get.count.load(Ordering::Acquire);
        self.capacity - side.tail.wrapping_sub(side.head_seen)
    }

    /// Publishes `n` items that are written.
    #[inline]
    fn publish(&self, side: &mut PutSide<T>, n: usize) {
        side.tail = side.tail.wrapping_add(n);
        // Release pairs with the Acquire in `Fifo::available`: the items are written.
        self.put.count.store(side.tail, Ordering::Release);
    }

    /// Puts without waiting.
    #[inline]
    pub(crate) fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        self.offer(item).map_err(|refused| match refused {
            NoRoom::Full { item, .. } | NoRoom::NoSegment(item) => PutError::Full(item),
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
            Err(refused) => self.put_slowly(|item| self.offer(item), refused, deadline()),
        }
    }

    /// Puts as many as there is room for. `Full` if some are left.
    fn offer_many(&self, items: &mut Drain<'_, T>) -> Result<(), NoRoom<()>> {
        let mut fresh = Fresh::none();
        let outcome = loop {
            match self.offer_many_into(items, &mut fresh) {
                Err(NoRoom::NoSegment(())) => self.segments.allocate(&mut fresh),
                other => break other,
            }
        };
        self.segments.release(fresh);
        outcome
    }

    fn offer_many_into(
        &self,
        items: &mut Drain<'_, T>,
        fresh: &mut Fresh<T>,
    ) -> Result<(), NoRoom<()>> {
        let (getters, head, room) = self.put.side.with(|side| {
            if side.closed {
                return Err(NoRoom::Closed(()));
            }
            let room = self.room(side, items.len());
            let n = self.write_runs(side, items, room, fresh);
            if n > 0 {
                self.publish(side, n);
            }
            Ok((side.getters.pop_many(n), side.head_seen, room - n))
        })?;
        getters.notify_all();
        match (items.len(), room) {
            (0, _) => Ok(()),
            (_, 0) => Err(NoRoom::Full { item: (), head }),
            _ => Err(NoRoom::NoSegment(())),
        }
    }

    /// Writes up to `room` items, as many as there are slots for, and returns how many.
    #[inline]
    fn write_runs(
        &self,
        side: &mut PutSide<T>,
        items: &mut Drain<'_, T>,
        room: usize,
        fresh: &mut Fresh<T>,
    ) -> usize {
        let wanted = room.min(items.len());
        let mut written = 0;
        while written < wanted {
            let slots = self.segments.room(&mut side.cursor, fresh);
            let run = slots.min(wanted - written);
            if run == 0 {
                break;
            }
            // SAFETY: this thread holds the put side, there are `run` slots in a row, and with them at most
            // `capacity` items are unread.
            unsafe { self.segments.write_run(&mut side.cursor, items, run) };
            written += run;
        }
        written
    }

    /// Puts as many as there is room for, without waiting.
    pub(in crate::queue) fn try_put_many(
        &self,
        items: &mut Drain<'_, T>,
    ) -> Result<(), PutError<()>> {
        self.offer_many(items).map_err(|refused| match refused {
            NoRoom::Full { .. } | NoRoom::NoSegment(()) => PutError::Full(()),
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
            Err(refused) => self.put_slowly(|()| self.offer_many(items), refused, deadline()),
        }
    }

    #[cold]
    fn put_slowly<I>(
        &self,
        mut offer: impl FnMut(I) -> Result<(), NoRoom<I>>,
        mut refused: NoRoom<I>,
        deadline: Option<Instant>,
    ) -> Result<(), PutError<I>> {
        let mut timed_out = false;
        loop {
            let item = match refused {
                NoRoom::Closed(item) => return Err(PutError::Closed(item)),
                NoRoom::Full { item, .. } if timed_out => return Err(PutError::TimedOut(item)),
                NoRoom::Full { item, head } => {
                    let moved = self.spin_while(|| self.get.count.load(Ordering::Relaxed) == head);
                    timed_out = !moved && !self.sleep_until_taken(head, deadline);
                    item
                }
                NoRoom::NoSegment(item) => item,
            };
            match offer(item) {
                Ok(()) => return Ok(()),
                Err(again) => refused = again,
            }
        }
    }

    /// Sleeps until an item is taken or the queue closes (true), or until the deadline (false).
    fn sleep_until_taken(&self, head: usize, deadline: Option<Instant>) -> bool {
        let waiter = Waiter::new();
        let mut entry = Some(Entry::new(waiter.clone()));
        self.get.side.with(|side| {
            if side.head == head
                && !side.closed
                && let Some(entry) = entry.take()
            {
                side.putters.push(entry);
            }
        });
        if entry.is_some() || waiter.wait(deadline) {
            return true;
        }
        // A putter that is taken off the list as its time runs out tries once more in any case, so a
        // wake-up is never lost with it.
        let removed = self.get.side.with(|side| side.putters.remove(&waiter));
        removed.is_none()
    }
}
