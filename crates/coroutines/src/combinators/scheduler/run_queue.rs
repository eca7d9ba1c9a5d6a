//! The coroutines that are ready, in the order of their turns: one circular list for each priority in use.

use alloc::vec::Vec;

/// Circular lists of slot numbers, the highest priority first.
///
/// A list is doubly linked through `links`. Its entry is the slot whose turn is next. A turn moves the entry on by one, so
/// a round costs no queue operation. A new slot goes in just before the entry, which makes it the last.
pub(crate) struct RunQueue {
    links: Vec<Link>,
    /// One for each priority in use, so that the first is the one to serve.
    levels: Vec<Level>,
}

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

struct Level {
    priority: i32,
    entry: u32,
}

impl Link {
    /// In no list. No slot has this number.
    const OUT: u32 = u32::MAX;
}

impl RunQueue {
    pub(crate) const fn new() -> Self {
        Self {
            links: Vec::new(),
            levels: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Makes room for one more slot.
    pub(crate) fn grow(&mut self) {
        self.links.push(Link {
            before: Link::OUT,
            after: Link::OUT,
        });
    }

    /// The slot whose turn it is. The next turn belongs to the next slot of that priority.
    #[inline]
    pub(crate) fn advance(&mut self) -> Option<u32> {
        let level = self.levels.first_mut()?;
        let slot = level.entry;
        level.entry = self.links[slot as usize].after;
        Some(slot)
    }

    /// Puts a slot last in its list; `false` if it is in one already.
    pub(crate) fn insert(&mut self, slot: u32, priority: i32) -> bool {
        if self.links[slot as usize].after != Link::OUT {
            return false;
        }
        let found = self
            .levels
            .binary_search_by(|level| priority.cmp(&level.priority));
        let (before, after) = match found {
            Ok(level) => {
                let entry = self.levels[level].entry;
                (self.links[entry as usize].before, entry)
            }
            Err(place) => {
                let entry = slot;
                self.levels.insert(place, Level { priority, entry });
                (slot, slot)
            }
        };
        self.links[slot as usize] = Link { before, after };
        self.links[before as usize].after = slot;
        self.links[after as usize].before = slot;
        true
    }

    /// Takes a slot out of its list; `false` if it is in none.
    pub(crate) fn remove(&mut self, slot: u32, priority: i32) -> bool {
        let Link { before, after } = self.links[slot as usize];
        if after == Link::OUT {
            return false;
        }
        self.links[before as usize].after = after;
        self.links[after as usize].before = before;
        self.links[slot as usize] = Link {
            before: Link::OUT,
            after: Link::OUT,
        };
        let found = self
            .levels
            .binary_search_by(|level| priority.cmp(&level.priority));
        if let Ok(level) = found {
            if after == slot {
                self.levels.remove(level);
            } else if self.levels[level].entry == slot {
                self.levels[level].entry = after;
            }
        }
        true
    }
}
