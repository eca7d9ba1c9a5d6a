//! Slots in a primitive's memory, each owned by one living thread that waits or holds a permit.
//!
//! A slot is a lock, which the kernel gives up when its owner dies, and a state. A robust lock proves that the thread is
//! alive without relying on a process id, which may be reused. A thread that is killed leaves its slot as it was; others
//! reclaim it. Slots in the same state form a list, so that no call looks at all slots; all of this happens under the
//! internal lock, except the sleep of the owner.
//!
//! | state | at a condition | at a barrier | of a semaphore |
//! |---|---|---|---|
//! | [`FREE`] | unused | unused | unused |
//! | [`WAITING`] | waits | waits | |
//! | [`NOTIFIED`] | was notified | may pass | |
//! | [`FAILED`] | | the barrier broke | |
//! | [`HELD`] | | | holds a permit |
//! | [`ORPHANED`] | | | the permit of a thread that died: held again, or left to the next |
//!
//! | from | event | to |
//! |---|---|---|
//! | `FREE` | `claim_slot` | `WAITING`, `HELD` |
//! | `WAITING` | `move_to` | `NOTIFIED`, `FAILED` |
//! | `HELD` | the owner died | `ORPHANED`, by its next owner |
//! | `ORPHANED` | `Permit::mark_consistent` | `HELD` |
//! | any | `release_slot`, `reclaim` of a dead thread's | `FREE` |
//!
//! Numbers that come from shared memory are checked: what another process has written there can confuse the lists, but
//! no index leaves the memory, and no walk is longer than the number of slots.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use crate::sys;

use super::memory::{Memory, SLOT_LIMIT, SLOT_SIZE, StateGuard};

pub(super) const FREE: u32 = 0;
pub(super) const WAITING: u32 = 1;
pub(super) const NOTIFIED: u32 = 2;
pub(super) const FAILED: u32 = 3;
pub(super) const HELD: u32 = 4;
pub(super) const ORPHANED: u32 = 5;

/// The number of slots that have been used so far.
const SLOTS_IN_USE: usize = 512;
/// The time of the last search for dead threads, in milliseconds of the monotonic clock.
const LAST_SWEEP: usize = 520;
/// The lists: for each the first slot, the last one and the length.
const LISTS: usize = 576;

/// Shortest time between two searches for dead threads, in milliseconds: many waiting threads search no more than one.
const SWEEP_INTERVAL: u64 = 50;

// Within a slot. Links are numbers of slots plus 1; 0 is none.
const STATE: usize = 0;
const NEXT: usize = 4;
const PREVIOUS: usize = 8;
const TICKET: usize = 16;

/// A list of slots.
#[derive(Clone, Copy)]
enum List {
    Free = 0,
    Waiting = 1,
    Notified = 2,
}

const ALL_LISTS: [List; 3] = [List::Free, List::Waiting, List::Notified];

impl List {
    fn of(state: u32) -> Option<Self> {
        match state {
            FREE => Some(Self::Free),
            WAITING => Some(Self::Waiting),
            NOTIFIED => Some(Self::Notified),
            _ => None,
        }
    }

    fn first(self) -> usize {
        LISTS + self as usize * 16
    }

    fn last(self) -> usize {
        self.first() + 4
    }

    fn length(self) -> usize {
        self.first() + 8
    }
}

fn at(slot: usize) -> usize {
    sys::page_size() + slot * SLOT_SIZE
}

impl Memory {
    fn state_word(&self, slot: usize) -> &AtomicU32 {
        self.half_word(at(slot) + STATE)
    }

    pub(super) fn state(&self, slot: usize) -> u32 {
        self.state_word(slot).load(Acquire)
    }

    /// Sleeps until the state of a slot is no longer as expected, at most for `time`.
    pub(super) fn sleep(&self, slot: usize, expected: u32, time: Duration) {
        sys::futex_sleep(self.state_word(slot), expected, time);
    }

    /// Wakes the threads that sleep at these slots. Called without the internal lock, which they want.
    pub(super) fn wake(&self, slots: &[usize]) {
        for slot in slots {
            sys::futex_wake_up(self.state_word(*slot), 1);
        }
    }

    /// Returns the number of slots in state [`WAITING`].
    pub(super) fn waiting(&self) -> usize {
        self.length(List::Waiting)
    }

    /// Returns the number of threads that were notified and have not returned yet.
    pub(super) fn notified(&self) -> usize {
        self.length(List::Notified)
    }

    fn length(&self, list: List) -> usize {
        (self.half_word(list.length()).load(Relaxed) as usize).min(SLOT_LIMIT)
    }

    /// Returns whether it is time to search for dead threads again. The caller does so when it is.
    pub(super) fn sweep_is_due(&self) -> bool {
        let now = sys::monotonic_nanos() / 1_000_000;
        let last = self.word(LAST_SWEEP);
        let seen = last.load(Relaxed);
        now.abs_diff(seen) >= SWEEP_INTERVAL
            && last.compare_exchange(seen, now, Relaxed, Relaxed).is_ok()
    }

    /// Returns whether the thread that owned a slot has died.
    pub(super) fn is_dead(&self, slot: usize) -> bool {
        sys::says_owner_died(self.slot_lock_word(slot))
    }

    /// Returns whether no living thread owns a slot.
    pub(super) fn is_unowned(&self, slot: usize) -> bool {
        sys::says_unowned(self.slot_lock_word(slot))
    }

    /// Gives up the lock of a slot, and leaves its state to the next owner.
    pub(super) fn unlock_slot(&self, slot: usize) {
        if let Ok(lock) = self.slot_lock(slot)
            && !lock.unlock()
        {
            self.mark_broken();
        }
    }
}

impl StateGuard<'_> {
    /// Returns the number of slots that have been used so far.
    pub(super) fn slots_in_use(&self) -> usize {
        (self.half_word(SLOTS_IN_USE).load(Relaxed) as usize).min(SLOT_LIMIT)
    }

    pub(super) fn set_state(&self, slot: usize, state: u32) {
        // Release: a thread that sees the state sees what was done before.
        self.state_word(slot).store(state, Release);
    }

    /// Moves a slot from the list of its state to that of another one.
    pub(super) fn move_to(&self, slot: usize, state: u32) {
        if let Some(list) = List::of(self.state(slot)) {
            self.unlink(list, slot);
        }
        self.set_state(slot, state);
        if let Some(list) = List::of(state) {
            self.link(list, slot);
        }
    }

    /// Takes a free slot for this thread. `None`: all are in use, or the system has no memory to own one.
    pub(super) fn claim_slot(&self, state: u32) -> Option<usize> {
        for _ in 0..SLOT_LIMIT {
            let slot = match self.first(List::Free) {
                Some(slot) => slot,
                None => self.add_slot()?,
            };
            let lock = self.slot_lock(slot).ok()?;
            if lock.try_lock().is_some() {
                self.move_to(slot, state);
                return Some(slot);
            }
            // A slot that is not free does not belong into the list.
            self.unlink(List::Free, slot);
        }
        None
    }

    /// Takes over the slot of a thread that died or left it. False: a living thread owns it.
    pub(super) fn claim_left_slot(&self, slot: usize, state: u32) -> bool {
        let claimed = self
            .slot_lock(slot)
            .is_ok_and(|lock| lock.try_lock().is_some());
        if claimed {
            self.move_to(slot, state);
        }
        claimed
    }

    /// Adds a free slot to its list; reclaims those of dead threads when there is no other.
    fn add_slot(&self) -> Option<usize> {
        let slot = self.slots_in_use();
        if slot < SLOT_LIMIT {
            self.half_word(SLOTS_IN_USE).store(slot as u32 + 1, Release);
            self.set_state(slot, FREE);
            self.link(List::Free, slot);
            return Some(slot);
        }
        for slot in 0..SLOT_LIMIT {
            if matches!(self.state(slot), WAITING | NOTIFIED | FAILED) {
                self.reclaim(slot);
            }
        }
        self.first(List::Free)
    }

    /// Numbers a slot in the order of arrival.
    pub(super) fn set_ticket(&self, slot: usize, ticket: u64) {
        self.word(at(slot) + TICKET).store(ticket, Relaxed);
    }

    /// Gives up a slot that this thread owns.
    pub(super) fn release_slot(&self, slot: usize) {
        self.move_to(slot, FREE);
        self.unlock_slot(slot);
    }

    /// Frees the slot of a dead thread. False: the thread is alive.
    pub(super) fn reclaim(&self, slot: usize) -> bool {
        let is_dead = self.is_dead(slot);
        if is_dead {
            self.move_to(slot, FREE);
            sys::clear_dead_owner(self.slot_lock_word(slot));
        }
        is_dead
    }

    /// Returns the thread that has waited longest.
    pub(super) fn first_waiting(&self) -> Option<usize> {
        self.first(List::Waiting)
    }

    /// Returns the slots in state [`WAITING`].
    pub(super) fn waiting_slots(&self) -> Vec<usize> {
        self.slots(List::Waiting)
    }

    /// Returns the slots in state [`NOTIFIED`].
    pub(super) fn notified_slots(&self) -> Vec<usize> {
        self.slots(List::Notified)
    }

    fn slots(&self, list: List) -> Vec<usize> {
        let mut slots = Vec::with_capacity(self.length(list));
        let mut next = self.link_at(list.first());
        while let Some(slot) = next
            && slots.len() < SLOT_LIMIT
        {
            slots.push(slot);
            next = self.link_at(at(slot) + NEXT);
        }
        slots
    }

    fn first(&self, list: List) -> Option<usize> {
        self.link_at(list.first())
    }

    /// Returns the slot to which a link leads, if there is such a slot.
    fn link_at(&self, offset: usize) -> Option<usize> {
        let slot = (self.half_word(offset).load(Relaxed) as usize).checked_sub(1)?;
        (slot < self.slots_in_use()).then_some(slot)
    }

    fn set_link(&self, offset: usize, slot: Option<usize>) {
        let link = slot.map_or(0, |slot| slot as u32 + 1);
        self.half_word(offset).store(link, Relaxed);
    }

    fn change_length(&self, list: List, change: i32) {
        let length = self.half_word(list.length());
        length.store(length.load(Relaxed).saturating_add_signed(change), Relaxed);
    }

    /// Appends a slot to a list. Free slots go to the front: those used last are used first.
    fn link(&self, list: List, slot: usize) {
        let (first, last) = (self.first(list), self.link_at(list.last()));
        let at_front = matches!(list, List::Free);
        let (previous, next) = if at_front {
            (None, first)
        } else {
            (last, None)
        };
        self.set_link(at(slot) + PREVIOUS, previous);
        self.set_link(at(slot) + NEXT, next);
        self.set_link(
            previous.map_or(list.first(), |previous| at(previous) + NEXT),
            Some(slot),
        );
        self.set_link(
            next.map_or(list.last(), |next| at(next) + PREVIOUS),
            Some(slot),
        );
        self.change_length(list, 1);
    }

    fn unlink(&self, list: List, slot: usize) {
        let previous = self.link_at(at(slot) + PREVIOUS);
        let next = self.link_at(at(slot) + NEXT);
        self.set_link(
            previous.map_or(list.first(), |previous| at(previous) + NEXT),
            next,
        );
        self.set_link(
            next.map_or(list.last(), |next| at(next) + PREVIOUS),
            previous,
        );
        self.change_length(list, -1);
    }

    /// Makes the lists again from the slots' states: a thread died while it changed them.
    pub(super) fn rebuild_lists(&self) {
        for list in ALL_LISTS {
            self.set_link(list.first(), None);
            self.set_link(list.last(), None);
            self.half_word(list.length()).store(0, Relaxed);
        }
        let mut slots: Vec<_> = (0..self.slots_in_use()).collect();
        slots.sort_by_key(|slot| self.word(at(*slot) + TICKET).load(Relaxed));
        for slot in slots {
            let state = self.state(slot);
            if state == FREE {
                sys::clear_dead_owner(self.slot_lock_word(slot));
            }
            if let Some(list) = List::of(state) {
                self.link(list, slot);
            }
        }
    }
}
