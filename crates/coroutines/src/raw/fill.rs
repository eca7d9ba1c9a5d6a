//! Many values of one body at once, written where a vector has room for them.

use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::pin::Pin;

use super::{Frame, ResumeOutcome};

impl<Y, A: Default, F: Future> Frame<Y, A, F> {
    /// Appends the next `max` values to `out`, fewer if the body stops otherwise; then how it did is the result.
    #[inline]
    pub(crate) fn fill(
        mut self: Pin<&mut Self>,
        out: &mut Vec<Y>,
        max: usize,
    ) -> Option<ResumeOutcome<Y, F::Output>> {
        /// Room for so many is made at first: `max` may be far more than the body yields.
        const AHEAD: usize = 256;
        let mut left = max;
        while left > 0 {
            if out.capacity() == out.len() {
                out.reserve(left.min(AHEAD));
            }
            let mut filled = Filled { out, count: 0 };
            let slots = filled.out.spare_capacity_mut();
            let fitting = left.min(slots.len());
            let stop = self
                .as_mut()
                .fill_slots(&mut slots[..fitting], &mut filled.count);
            if stop.is_some() {
                return stop;
            }
            drop(filled);
            left -= fitting;
        }
        None
    }

    /// Writes a value to each slot and counts them in `count`, until the body stops otherwise.
    // A function of its own for what its parameters say: the slots are nowhere in the frame, so the body's variables can
    // stay in registers while the slots are written.
    #[inline(never)]
    fn fill_slots(
        mut self: Pin<&mut Self>,
        slots: &mut [MaybeUninit<Y>],
        count: &mut usize,
    ) -> Option<ResumeOutcome<Y, F::Output>> {
        // Counts in a register, and tells on every way out.
        let mut tally = Tally { count, so_far: 0 };
        for slot in slots {
            match self.as_mut().resume(A::default()) {
                ResumeOutcome::Yielded(value) => slot.write(value),
                stop => return Some(stop),
            };
            tally.so_far += 1;
        }
        None
    }
}

/// How many slots `fill_slots` has written.
struct Tally<'c> {
    count: &'c mut usize,
    so_far: usize,
}

impl Drop for Tally<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.count = self.so_far;
    }
}

/// Makes the values that were written past the end of `out` its own, on unwinding too.
struct Filled<'o, Y> {
    out: &'o mut Vec<Y>,
    /// How many of the slots behind the last value are initialised, without a gap.
    count: usize,
}

impl<Y> Drop for Filled<'_, Y> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `count` slots of the spare capacity have been written, in order, and the vector has not changed since.
        unsafe { self.out.set_len(self.out.len() + self.count) }
    }
}
