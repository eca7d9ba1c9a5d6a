//! The timer heap: by deadline, then by order of creation.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc, task::Waker};

use crate::handle::Call;

/// Below this many cancelled timers the heap is never rebuilt: it would cost more than it frees.
const COMPACT_ABOVE: usize = 100;

/// Marks the end of the list of vacant cells.
const END: u32 = u32::MAX;

/// Where a timer lives. The sequence number tells a timer from a later one in the same cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    cell: u32,
    seq: u64,
}

/// What to do when a timer is due.
pub(crate) enum Due {
    Wake(Waker),
    Call(Rc<dyn Call>),
}

enum Cell {
    Vacant(u32),
    Armed { seq: u64, due: Due },
}

/// Nanoseconds since the loop's epoch, the sequence number, the cell. The order of fields is the order of firing.
type Entry = Reverse<(u64, u64, u32)>;

/// All timers of a loop. Cancelling is O(1): the heap's entry stays until it surfaces or the heap is compacted.
pub(crate) struct Timers {
    heap: BinaryHeap<Entry>,
    cells: Vec<Cell>,
    vacant: u32,
    next_seq: u64,
    cancelled: usize,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            heap: BinaryHeap::new(),
            cells: Vec::new(),
            vacant: END,
            next_seq: 0,
            cancelled: 0,
        }
    }

    pub(crate) fn insert(&mut self, when: u64, due: Due) -> TimerKey {
        let seq = self.next_seq;
        self.next_seq += 1;
        let armed = Cell::Armed { seq, due };
        let cell = match self.cells.get_mut(self.vacant as usize) {
            Some(place) => {
                let cell = self.vacant;
                if let Cell::Vacant(next) = std::mem::replace(place, armed) {
                    self.vacant = next;
                }
                cell
            }
            None => {
                self.cells.push(armed);
                (self.cells.len() - 1) as u32
            }
        };
        self.heap.push(Reverse((when, seq, cell)));
        TimerKey { cell, seq }
    }

    /// Takes the timer out; `None` if it fired or was cancelled before. The caller drops what it gets outside any borrow.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Due> {
        let due = self.vacate(key)?;
        self.cancelled += 1;
        if self.cancelled > COMPACT_ABOVE && self.cancelled * 2 > self.heap.len() {
            let cells = &self.cells;
            self.heap.retain(|Reverse((_, seq, cell))| {
                matches!(cells[*cell as usize], Cell::Armed { seq: held, .. } if held == *seq)
            });
            self.cancelled = 0;
        }
        Some(due)
    }

    /// Whether the timer is still to fire; if so, `waker` is the one it will wake.
    pub(crate) fn update(&mut self, key: TimerKey, waker: &Waker) -> bool {
        match self.cells.get_mut(key.cell as usize) {
            Some(Cell::Armed {
                seq,
                due: Due::Wake(held),
            }) if *seq == key.seq => {
                held.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// The next timer that is due at `now`, in order of deadline and creation.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Due> {
        loop {
            let &Reverse((when, seq, cell)) = self.heap.peek()?;
            if when > now {
                return None;
            }
            self.heap.pop();
            match self.vacate(TimerKey { cell, seq }) {
                Some(due) => return Some(due),
                None => self.cancelled -= 1,
            }
        }
    }

    /// The earliest deadline of a timer that is not cancelled.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        loop {
            let &Reverse((when, seq, cell)) = self.heap.peek()?;
            if matches!(self.cells[cell as usize], Cell::Armed { seq: held, .. } if held == seq) {
                return Some(when);
            }
            self.heap.pop();
            self.cancelled -= 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn vacate(&mut self, key: TimerKey) -> Option<Due> {
        let place = self.cells.get_mut(key.cell as usize)?;
        if !matches!(place, Cell::Armed { seq, .. } if *seq == key.seq) {
            return None;
        }
        match std::mem::replace(place, Cell::Vacant(self.vacant)) {
            Cell::Armed { due, .. } => {
                self.vacant = key.cell;
                Some(due)
            }
            Cell::Vacant(_) => None,
        }
    }
}
