//! What wakes a task, from any thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Wake, Waker},
};

use crate::{
    current,
    remote::{self, RemoteItem},
};

/// Set while a wake from another thread is on its way to the loop.
const UNDERWAY: u32 = 1 << 31;

/// The most slots a loop has: what is left of the word.
pub(super) const MOST_SLOTS: usize = UNDERWAY as usize;

/// Names a slot of a loop's task table. It owns nothing of the task, so that a waker may outlive it anywhere, and it
/// belongs to the slot, not to the task: a late wake of a task that has ended is at worst a needless poll of its
/// successor, which futures must bear with anyway.
pub(super) struct SlotWaker {
    loop_id: u32,
    /// The slot, and `UNDERWAY`.
    slot: AtomicU32,
}

pub(super) fn waker(loop_id: u32, slot: u32) -> Waker {
    Waker::from(Arc::new(SlotWaker {
        loop_id,
        slot: AtomicU32::new(slot),
    }))
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let here = current::with_engine((), |(), engine| {
            let own = engine.id() == self.loop_id;
            if own {
                // On the loop's own thread no atomics are needed. Relaxed: the slot never changes.
                engine.wake_slot(self.slot.load(Ordering::Relaxed) & !UNDERWAY);
            }
            own
        });
        // AcqRel pairs with the same in `arrived`: what was written before the wake is seen by the poll after it, be
        // this wake the one that travels or one that finds another underway.
        if here != Ok(true) && self.slot.fetch_or(UNDERWAY, Ordering::AcqRel) & UNDERWAY == 0 {
            remote::schedule(self.loop_id, RemoteItem::Wake(Arrival(self.clone())));
        }
    }
}

/// A wake from another thread, on its way.
pub(crate) struct Arrival(Arc<SlotWaker>);

impl Arrival {
    /// On the loop's thread: the slot to poll.
    pub(crate) fn arrived(&self) -> u32 {
        self.0.slot.fetch_and(!UNDERWAY, Ordering::AcqRel) & !UNDERWAY
    }
}
