//! The timer heap: by deadline, then by order of creation.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc, task::Waker};

use crate::handle::Call;

/// Below this many cancelled timers the heap is never rebuilt: it would cost more than it frees.
const COMPACT_ABOVE: usize = 100;

/// Fewer cells than this are never made fewer.
const SMALLEST: usize = 4096;

/// Marks the end of the list of vacant cells.
const END: u32 = u32::MAX;

/// Where a timer lives. The sequence number tells a timer from a later one in the same cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    cell: u32,
    /// In halves, so that the key is aligned to four bytes: a million sleeps hold one each.
    seq: [u32; 2],
}

impl TimerKey {
    fn new(cell: u32, seq: u64) -> Self {
        TimerKey {
            cell,
            seq: [(seq >> 32) as u32, seq as u32],
        }
    }

    fn seq(self) -> u64 {
        u64::from(self.seq[0]) << 32 | u64::from(self.seq[1])
    }
}

/// What to do when a timer is due.
pub(crate) enum Due {
    Wake(Waker),
    Call(Rc<dyn Call>),
}

struct Cell {
    /// Whose it is; of no meaning in a vacant cell.
    seq: u64,
    content: Content,
}

enum Content {
    /// With the number of the next vacant cell.
    Vacant(u32),
    Wake(Waker),
    Call(Rc<dyn Call>),
}

impl From<Due> for Content {
    fn from(due: Due) -> Self {
        match due {
            Due::Wake(waker) => Content::Wake(waker),
            Due::Call(call) => Content::Call(call),
        }
    }
}

impl Cell {
    fn is_armed(&self, seq: u64) -> bool {
        self.seq == seq && !matches!(self.content, Content::Vacant(_))
    }
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
    /// How many cells are not vacant.
    armed: usize,
    /// With so few armed, memory is given back.
    shrink_at: usize,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Timers {
            heap: BinaryHeap::new(),
            cells: Vec::new(),
            vacant: END,
            next_seq: 0,
            cancelled: 0,
            armed: 0,
            shrink_at: 0,
        }
    }

    pub(crate) fn insert(&mut self, when: u64, due: Due) -> TimerKey {
        let seq = self.next_seq;
        self.next_seq += 1;
        let armed = Cell {
            seq,
            content: due.into(),
        };
        let cell = match self.cells.get_mut(self.vacant as usize) {
            Some(place) => {
                let cell = self.vacant;
                if let Content::Vacant(next) = std::mem::replace(place, armed).content {
                    self.vacant = next;
                }
                cell
            }
            None => {
                let cell = self.cells.len();
                self.cells.push(armed);
                if cell >= SMALLEST {
                    self.shrink_at = cell / 4;
                }
                cell as u32
            }
        };
        self.heap.push(Reverse((when, seq, cell)));
        self.armed += 1;
        TimerKey::new(cell, seq)
    }

    /// Takes the timer out; `None` if it fired or was cancelled before. The caller drops what it gets outside any borrow.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Due> {
        let due = self.vacate(key)?;
        self.cancelled += 1;
        if self.cancelled > COMPACT_ABOVE && self.cancelled * 2 > self.heap.len() {
            let cells = &self.cells;
            self.heap.retain(|Reverse((_, seq, cell))| {
                let cell = cells.get(*cell as usize);
                cell.is_some_and(|cell| cell.is_armed(*seq))
            });
            self.cancelled = 0;
        }
        Some(due)
    }

    /// Whether the timer is still to fire; if so, `waker` is the one it will wake.
    pub(crate) fn update(&mut self, key: TimerKey, waker: &Waker) -> bool {
        match self.cells.get_mut(key.cell as usize) {
            Some(Cell {
                seq,
                content: Content::Wake(held),
            }) if *seq == key.seq() => {
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
            match self.vacate(TimerKey::new(cell, seq)) {
                Some(due) => return Some(due),
                None => self.cancelled -= 1,
            }
        }
    }

    /// The earliest deadline of a timer that is not cancelled.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        loop {
            let &Reverse((when, seq, cell)) = self.heap.peek()?;
            let cell = self.cells.get(cell as usize);
            if cell.is_some_and(|cell| cell.is_armed(seq)) {
                return Some(when);
            }
            self.heap.pop();
            self.cancelled -= 1;
        }
    }

    /// Gives back what a crowd of timers needed that is gone. Keys of before find no cell, or one with another number.
    #[cold]
    fn shrink(&mut self) {
        let is_vacant = |cell: &Cell| matches!(cell.content, Content::Vacant(_));
        let used = self.cells.iter().rposition(|cell| !is_vacant(cell));
        self.cells.truncate(used.map_or(0, |last| last + 1));
        self.cells.shrink_to(SMALLEST);
        // Each time costs a look at every cell, so the next comes when half of the timers are gone again.
        self.shrink_at = if self.cells.len() > SMALLEST {
            self.armed / 2 + 1
        } else {
            0
        };
        self.heap.shrink_to(SMALLEST);
        self.vacant = END;
        for (index, cell) in self.cells.iter_mut().enumerate().rev() {
            if is_vacant(cell) {
                cell.content = Content::Vacant(self.vacant);
                self.vacant = index as u32;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn vacate(&mut self, key: TimerKey) -> Option<Due> {
        let place = self.cells.get_mut(key.cell as usize)?;
        if !place.is_armed(key.seq()) {
            return None;
        }
        let content = std::mem::replace(&mut place.content, Content::Vacant(self.vacant));
        self.vacant = key.cell;
        self.armed -= 1;
        if self.armed < self.shrink_at {
            self.shrink();
        }
        match content {
            Content::Wake(waker) => Some(Due::Wake(waker)),
            Content::Call(call) => Some(Due::Call(call)),
            Content::Vacant(_) => None,
        }
    }
}
