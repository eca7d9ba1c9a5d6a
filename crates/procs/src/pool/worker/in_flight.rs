//! The tasks that a worker holds, by number.

use std::collections::VecDeque;

use crate::pool::job::batch::BatchSlice;
use crate::pool::job::scan::ScannedResult;

/// Items that a worker was given and has not answered, oldest first.
///
/// Items are numbered in the order in which a worker gets them. The numbers are those of its journal, which may be
/// overwritten, so each number that was read from there is checked here.
pub(super) struct InFlight {
    slices: VecDeque<BatchSlice>,
    /// Number of items in `slices`.
    count: usize,
    /// The number of the worker's first item.
    first: u64,
    /// The number of the first item in `slices`: all below it are answered.
    answered: u64,
    /// The number of the next item that the worker would begin, as of the last read of the journal.
    next_seen: u64,
}

impl InFlight {
    /// `first`: the number of the worker's first item.
    pub(super) fn new(first: u64) -> Self {
        Self {
            slices: VecDeque::new(),
            count: 0,
            first,
            answered: first,
            next_seen: first,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns the number of the oldest item, below which all are answered.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// Returns whether the worker has answered an item.
    pub(super) fn has_answered(&self) -> bool {
        self.answered != self.first
    }

    /// Returns the number that the next item will have.
    pub(super) fn next_number(&self) -> u64 {
        self.answered + self.count as u64
    }

    /// Returns the number of the item that was begun last and not answered, or of the oldest one if none was begun. `next`: the
    /// next item to begin, as read from the journal.
    pub(super) fn current(&self, next: u64) -> u64 {
        let is_valid = next > self.answered && next <= self.next_number();
        if is_valid { next - 1 } else { self.answered }
    }

    /// Returns the number of items in the oldest slice.
    pub(super) fn front_count(&self) -> usize {
        self.slices.front().map_or(0, BatchSlice::count)
    }

    pub(super) fn push(&mut self, slice: BatchSlice) {
        self.count += slice.count();
        self.slices.push_back(slice);
    }

    /// Ends the oldest items, all of one slice, in results.
    pub(super) fn deliver(&mut self, bytes: Vec<u8>, results: Vec<ScannedResult>) {
        let count = results.len();
        if let Some(front) = self.slices.front_mut() {
            front.deliver(bytes, results);
            if front.count() == 0 {
                self.slices.pop_front();
            }
        }
        self.count -= count;
        self.answered += count as u64;
    }

    /// Records the next item to begin, as read from the journal. Returns whether it is the same as at the last call although
    /// unbegun items wait.
    pub(super) fn is_stalled_at(&mut self, next: u64) -> bool {
        let same = next == self.next_seen;
        self.next_seen = self.next_seen.max(next);
        same && self.next_number() > next
    }

    /// Removes the items from this number on, none of which has begun, and marks them as waiting.
    pub(super) fn split_from(&mut self, next: u64) -> Vec<BatchSlice> {
        // A number that the worker cannot have reached was overwritten: any item may have begun.
        let begun = next.checked_sub(self.answered);
        let begun = begun.and_then(|begun| usize::try_from(begun).ok());
        let mut keep = begun
            .filter(|_| next >= self.next_seen)
            .map_or(self.count, |begun| begun.min(self.count));
        let mut unbegun = Vec::new();
        self.count = keep;
        for mut slice in std::mem::take(&mut self.slices) {
            if keep >= slice.count() {
                keep -= slice.count();
                self.slices.push_back(slice);
                continue;
            }
            if keep > 0 {
                self.slices.push_back(slice.split_front(keep));
                keep = 0;
            }
            slice.requeue();
            unbegun.push(slice);
        }
        unbegun
    }

    /// Removes all items, oldest slice first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = BatchSlice> {
        self.answered += self.count as u64;
        self.count = 0;
        std::mem::take(&mut self.slices).into_iter()
    }
}
