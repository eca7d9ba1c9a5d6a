//! A binary heap that survives the panic of an order.
//!
//! The standard library's heap moves elements while it compares. Here an operation makes all its comparisons first,
//! on elements that stay where they are, and then moves them without calling user code. So a panic changes nothing.

/// A heap, the least element first. Its buffer never grows by itself.
pub(super) struct Heap<E> {
    pub(super) elements: Vec<E>,
}

fn parent(index: usize) -> usize {
    (index - 1) / 2
}

impl<E> Heap<E> {
    pub(super) const fn new() -> Self {
        Self {
            elements: Vec::new(),
        }
    }

    /// Returns the place of a new element that is less than the elements for which `precedes` holds.
    pub(super) fn place(&self, precedes: impl Fn(&E) -> bool) -> usize {
        let mut index = self.elements.len();
        while index > 0 && precedes(&self.elements[parent(index)]) {
            index = parent(index);
        }
        index
    }

    /// Adds a new element at its place. Calls no user code.
    pub(super) fn insert(&mut self, place: usize, element: E) {
        let mut index = self.elements.len();
        self.elements.push(element);
        while index > place {
            self.elements.swap(index, parent(index));
            index = parent(index);
        }
    }

    /// Takes the least element out.
    pub(super) fn pop(&mut self, is_less: impl Fn(&E, &E) -> bool) -> Option<E> {
        let last = self.elements.len().checked_sub(1)?;
        let moved = &self.elements[last];
        // The last element fills the hole. It goes up from the bottom, since it mostly belongs near to it.
        let mut place = self.least_leaf(last, &is_less);
        while place > 0 && is_less(moved, &self.elements[place]) {
            place = parent(place);
        }
        let least = self.elements.swap_remove(0);
        self.move_root_down(place);
        Some(least)
    }

    /// Returns the leaf that is reached by the lesser child each time, among the first `len` elements.
    fn least_leaf(&self, len: usize, is_less: impl Fn(&E, &E) -> bool) -> usize {
        let mut index = 0;
        loop {
            let left = 2 * index + 1;
            if left >= len {
                return index;
            }
            let right = left + 1;
            let take_right = right < len && is_less(&self.elements[right], &self.elements[left]);
            index = if take_right { right } else { left };
        }
    }

    /// Moves the root down to `place`, and each element on the way up by one.
    fn move_root_down(&mut self, place: usize) {
        let path = place + 1;
        let depth = path.ilog2();
        for level in 0..depth {
            let upper = (path >> (depth - level)) - 1;
            let lower = (path >> (depth - level - 1)) - 1;
            self.elements.swap(upper, lower);
        }
    }
}
