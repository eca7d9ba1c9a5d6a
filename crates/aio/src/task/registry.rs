//! The tasks of a loop that are not done.

use std::{collections::HashMap, rc::Rc, task::Waker};

/// Marks the end of the list of vacant slots.
const END: u64 = u64::MAX >> Flags::BITS;

/// Which task: a number never used again, and the slot it has until it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskKey {
    pub(crate) id: u64,
    pub(crate) slot: u32,
}

/// What is known of a task, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    const BITS: u32 = 8;
    /// Its waker is in the slot: it has been pending once.
    pub(crate) const HAS_WAKER: Flags = Flags(1);
    /// Drop the body before the next poll.
    pub(crate) const CANCEL: Flags = Flags(2);
    /// As `CANCEL`, without the asynchronous clean-ups.
    pub(crate) const ABORT: Flags = Flags(4);
    /// Nobody holds its handle.
    pub(crate) const DETACHED: Flags = Flags(8);
    /// It has an entry among the extras.
    pub(crate) const HAS_EXTRA: Flags = Flags(16);
    /// The slot is vacant, and the number in its word is that of the next vacant one.
    const VACANT: Flags = Flags(32);

    pub(crate) fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// The task's number and its flags in one word, so that a sleeping task costs 24 bytes here.
struct Slot {
    word: u64,
    waker: Option<Waker>,
}

impl Slot {
    fn number(&self) -> u64 {
        self.word >> Flags::BITS
    }

    fn flags(&self) -> Flags {
        Flags(self.word as u8)
    }

    fn holds(&self, id: u64) -> bool {
        self.number() == id && !self.flags().any(Flags::VACANT)
    }
}

/// What few tasks have, by the task's number.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) cancel_message: Option<String>,
}

/// What a task leaves behind in the registry.
#[derive(Default)]
pub(crate) struct Removed {
    waker: Option<Waker>,
    awaiter: Option<Waker>,
}

impl Removed {
    /// Wakes who awaits the task. Called with no borrow held: wakers may do anything.
    pub(crate) fn notify(self) {
        drop(self.waker);
        if let Some(awaiter) = self.awaiter {
            awaiter.wake();
        }
    }
}

/// The task has ended.
#[derive(Debug)]
pub(crate) struct Done;

pub(crate) struct Registry {
    slots: Vec<Slot>,
    vacant: u64,
    live: usize,
    next_id: u64,
    extras: HashMap<u64, Extra>,
    /// Who awaits the task in the slot of the same number; as long as the highest slot that was ever awaited.
    awaiters: Vec<Option<Waker>>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Registry {
            slots: Vec::new(),
            vacant: END,
            live: 0,
            next_id: 1,
            extras: HashMap::new(),
            awaiters: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self) -> TaskKey {
        let id = self.next_id;
        self.next_id += 1;
        self.live += 1;
        let slot = Slot {
            word: id << Flags::BITS,
            waker: None,
        };
        let index = self.vacant;
        if index == END {
            self.slots.push(slot);
            return TaskKey {
                id,
                slot: (self.slots.len() - 1) as u32,
            };
        }
        let place = &mut self.slots[index as usize];
        self.vacant = place.number();
        *place = slot;
        TaskKey {
            id,
            slot: index as u32,
        }
    }

    /// Frees the slot. The caller drops the task's waker and wakes the awaiter, outside any borrow.
    pub(crate) fn remove(&mut self, key: TaskKey) -> Removed {
        let Some(flags) = self.flags(key) else {
            return Removed::default();
        };
        if flags.any(Flags::HAS_EXTRA) && flags.any(Flags::DETACHED) {
            self.extras.remove(&key.id);
        }
        self.live -= 1;
        let slot = &mut self.slots[key.slot as usize];
        slot.word = self.vacant << Flags::BITS | u64::from(Flags::VACANT.0);
        self.vacant = u64::from(key.slot);
        let awaiter = self
            .awaiters
            .get_mut(key.slot as usize)
            .and_then(Option::take);
        Removed {
            waker: slot.waker.take(),
            awaiter,
        }
    }

    /// Remembers who awaits the task, in place of who did before. `Err` when the task is done.
    pub(crate) fn set_awaiter(
        &mut self,
        key: TaskKey,
        waker: &Waker,
    ) -> Result<Option<Waker>, Done> {
        if self.slot(key).is_none() {
            return Err(Done);
        }
        let place = key.slot as usize;
        if self.awaiters.len() <= place {
            self.awaiters.resize_with(place + 1, || None);
        }
        let awaiter = &mut self.awaiters[place];
        match awaiter {
            Some(held) if held.will_wake(waker) => Ok(None),
            _ => Ok(awaiter.replace(waker.clone())),
        }
    }

    fn slot(&self, key: TaskKey) -> Option<&Slot> {
        self.slots
            .get(key.slot as usize)
            .filter(|slot| slot.holds(key.id))
    }

    /// `None` when the task is done.
    pub(crate) fn flags(&self, key: TaskKey) -> Option<Flags> {
        self.slot(key).map(Slot::flags)
    }

    /// Sets flags; false when the task is done.
    pub(crate) fn set(&mut self, key: TaskKey, flags: Flags) -> bool {
        match self.slots.get_mut(key.slot as usize) {
            Some(slot) if slot.holds(key.id) => {
                slot.word |= u64::from(flags.0);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn set_waker(&mut self, key: TaskKey, waker: &Waker) {
        if self.set(key, Flags::HAS_WAKER) {
            self.slots[key.slot as usize].waker = Some(waker.clone());
        }
    }

    pub(crate) fn waker(&self, key: TaskKey) -> Option<Waker> {
        self.slot(key)?.waker.clone()
    }

    pub(crate) fn wakers(&self) -> Vec<Waker> {
        self.slots
            .iter()
            .filter_map(|slot| slot.waker.clone())
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Those alive, oldest first.
    pub(crate) fn keys(&self) -> Vec<TaskKey> {
        let used = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| !slot.flags().any(Flags::VACANT));
        let mut keys: Vec<_> = used
            .map(|(index, slot)| TaskKey {
                id: slot.number(),
                slot: index as u32,
            })
            .collect();
        keys.sort_unstable_by_key(|key| key.id);
        keys
    }

    pub(crate) fn extra(&self, id: u64) -> Option<&Extra> {
        self.extras.get(&id)
    }

    pub(crate) fn extra_mut(&mut self, key: TaskKey) -> &mut Extra {
        self.set(key, Flags::HAS_EXTRA);
        self.extras.entry(key.id).or_default()
    }

    pub(crate) fn forget_extra(&mut self, id: u64) -> Option<Extra> {
        // Looked at first: most loops have no extras, and hashing costs more than the rest of an await.
        if self.extras.is_empty() {
            None
        } else {
            self.extras.remove(&id)
        }
    }

    pub(crate) fn name(&self, id: u64) -> Rc<str> {
        match self.extra(id).and_then(|extra| extra.name.clone()) {
            Some(name) => name,
            None => format!("Task-{id}").into(),
        }
    }
}
