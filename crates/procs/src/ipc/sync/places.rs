//! Places in a primitive's memory, each held by one living thread: whoever waits, or holds a permit, has one.
//!
//! A place is a mutex that survives its owner, and a state. The mutex tells whether the thread lives, without a process id
//! that could be another's by now; a thread that is killed leaves its place as it was, to be looked after by the others.
//! Everything here happens inside the gate, but for the sleep of the one who holds a place.
//!
//! | state | at a condition | at a barrier | of a semaphore |
//! |---|---|---|---|
//! | [`FREE`] | nobody's | nobody's | nobody's |
//! | [`WAITING`] | waits | waits | |
//! | [`CALLED`] | was notified | may go on | |
//! | [`FAILED`] | | must not go on | |
//! | [`HELD`] | | | has a permit |
//! | [`DOUBTED`] | | | has the permit of one who died |

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use crate::sys::{self, Found};

use super::memory::{Inside, LIMIT, Memory, PLACE, PLACES, TOP};

pub(super) const FREE: u32 = 0;
pub(super) const WAITING: u32 = 1;
pub(super) const CALLED: u32 = 2;
pub(super) const FAILED: u32 = 3;
pub(super) const HELD: u32 = 4;
pub(super) const DOUBTED: u32 = 5;

// Within a place; the mutex comes first.
const STATE: usize = 64;
const TICKET: usize = 72;

fn at(place: usize) -> usize {
    PLACES + place * PLACE
}

impl Memory {
    fn state_word(&self, place: usize) -> &AtomicU32 {
        self.half_word(at(place) + STATE)
    }

    pub(super) fn state(&self, place: usize) -> u32 {
        self.state_word(place).load(Acquire)
    }

    /// Sleeps until the state of a place is no longer as expected, at most for a time.
    pub(super) fn sleep(&self, place: usize, expected: u32, time: Duration) {
        sys::futex_wait(self, at(place) + STATE, expected, time);
    }

    /// Wakes whoever sleeps at these places. Outside the gate: they want to pass it.
    pub(super) fn wake(&self, places: &[usize]) {
        for place in places {
            sys::futex_wake(self, at(*place) + STATE, 1);
        }
    }
}

impl Inside<'_> {
    /// The places that have been made.
    fn made(&self) -> usize {
        // Whatever a process may have written there, it is not more than there is.
        (self.word(TOP).load(Relaxed) as usize).min(LIMIT)
    }

    pub(super) fn set_state(&self, place: usize, state: u32) {
        // Release: whoever sees the state sees what was done before.
        self.state_word(place).store(state, Release);
    }

    /// The order in which places were taken, as far as the caller numbers them.
    pub(super) fn ticket(&self, place: usize) -> u64 {
        self.word(at(place) + TICKET).load(Relaxed)
    }

    pub(super) fn set_ticket(&self, place: usize, ticket: u64) {
        self.word(at(place) + TICKET).store(ticket, Relaxed);
    }

    /// The places in this state.
    pub(super) fn places(&self, state: u32) -> impl Iterator<Item = usize> + use<'_> {
        (0..self.made()).filter(move |place| self.state(*place) == state)
    }

    /// Takes a free place for this thread; `None`: there is none.
    pub(super) fn occupy(&self, state: u32) -> Option<usize> {
        let place = match self.places(FREE).find(|place| self.seize(*place)) {
            Some(place) => place,
            None => self.make()?,
        };
        self.set_state(place, state);
        Some(place)
    }

    /// Makes one more place, held by this thread.
    fn make(&self) -> Option<usize> {
        let place = self.made();
        if place == LIMIT || sys::init_mutex(self, at(place)).is_err() {
            return None;
        }
        // The place is whole before it counts, also for one who is killed here.
        self.word(TOP).store(place as u64 + 1, Release);
        self.seize(place).then_some(place)
    }

    /// Takes the mutex of a place for this thread, if no living thread holds it.
    pub(super) fn seize(&self, place: usize) -> bool {
        let found = sys::try_lock_mutex(self, at(place));
        if let Ok(Some(Found::OwnerDied)) = found {
            sys::repaired(self, at(place));
        }
        matches!(found, Ok(Some(_)))
    }

    /// Gives up a place that this thread holds.
    pub(super) fn vacate(&self, place: usize) {
        self.set_state(place, FREE);
        sys::unlock_mutex(self, at(place));
    }

    /// Gives up a place that this thread holds, and leaves its state to the next one who seizes it.
    pub(super) fn leave(&self, place: usize) {
        sys::unlock_mutex(self, at(place));
    }

    /// Frees the places whose threads have died, and returns how many of them were in this state.
    pub(super) fn sweep(&self, state: u32) -> usize {
        let mut found = 0;
        for place in 0..self.made() {
            let left_as = self.state(place);
            if left_as != FREE && self.seize(place) {
                found += usize::from(left_as == state);
                self.vacate(place);
            }
        }
        found
    }
}
