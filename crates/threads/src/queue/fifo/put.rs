//! The put side.

use super::Fifo;
use crate::error::PutError;
use crate::imp::atomic::Ordering;
use crate::signal::Signal;
use std::time::Instant;

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
}
