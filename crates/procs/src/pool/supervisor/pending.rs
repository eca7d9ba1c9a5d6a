//! The queue of a supervisor: items that wait for a worker.

use std::collections::VecDeque;

use crate::pool::job::batch::BatchSlice;

/// Slices in the order in which their items are sent to workers, and the number of their items.
#[derive(Default)]
pub(super) struct PendingQueue {
    slices: VecDeque<BatchSlice>,
    items: usize,
}

impl PendingQueue {
    /// Returns the number of items.
    pub(super) fn items(&self) -> usize {
        self.items
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Adds items that were submitted.
    pub(super) fn push_back(&mut self, slice: BatchSlice) {
        self.items += slice.count();
        self.slices.push_back(slice);
    }

    /// Puts items that a worker has not begun back to the front, in order.
    pub(super) fn requeue(&mut self, slices: Vec<BatchSlice>) {
        for slice in slices.into_iter().rev() {
            self.items += slice.count();
            self.slices.push_front(slice);
        }
    }

    /// Removes up to `count` items of one slice from the front.
    pub(super) fn pop_front(&mut self, count: usize) -> Option<BatchSlice> {
        let front = self.slices.front_mut()?;
        let slice = if front.count() > count {
            front.split_front(count)
        } else {
            self.slices.pop_front()?
        };
        self.items -= slice.count();
        Some(slice)
    }

    /// Removes all items.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = BatchSlice> {
        self.items = 0;
        self.slices.drain(..)
    }
}
