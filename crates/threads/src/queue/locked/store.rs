//! What decides which item comes out next.

/// A store of items in a growing buffer. No method allocates or frees memory, unless it says so.
pub(super) trait Store {
    type Item;
    /// What lies in the buffer.
    type Slot;
    /// Whether `push`, `pop` and `sort` call user code.
    const CALLS_USER_CODE: bool;

    /// Takes the item that is in `item` into the buffer, which has room. A panic leaves both as they were.
    fn push(&mut self, item: &mut Option<Self::Item>);

    /// Takes the next item out. A panic leaves the store as it was.
    fn pop(&mut self) -> Option<Self::Item>;

    fn len(&self) -> usize;

    fn buffer(&mut self) -> &mut Vec<Self::Slot>;

    /// Fills `order`, which has room, with the indices of the buffer in the order in which `pop` would take them. A
    /// panic leaves the store as it was.
    fn sort(&self, order: &mut Vec<usize>);

    /// Gives the items of `slots` in the order of `sort`. Allocates; called without the lock.
    fn arrange(slots: Vec<Self::Slot>, order: &[usize]) -> Vec<Self::Item>;

    /// Takes all slots out.
    fn take_all(&mut self) -> Vec<Self::Slot> {
        std::mem::take(self.buffer())
    }

    /// Whether there is room for `n` more, if need be by moving into `other`, an empty buffer; the old one is left
    /// there, to be freed without the lock.
    fn exchange(&mut self, other: &mut Vec<Self::Slot>, n: usize) -> bool {
        let buffer = self.buffer();
        if buffer.capacity() - buffer.len() >= n {
            return true;
        }
        if other.capacity() < buffer.len() + n {
            return false;
        }
        other.append(buffer);
        std::mem::swap(buffer, other);
        true
    }
}
