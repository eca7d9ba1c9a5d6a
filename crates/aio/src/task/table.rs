//! The tasks of a loop that are not done, and the results that are not taken.

use std::{collections::HashMap, rc::Rc, task::Waker};

use super::{
    cleanup::Cleanup,
    flags::Flags,
    slot::{Body, Slot, Stage},
    turn::{Awaiter, Begun, Hearer, Queued, Removed, Turn},
    unseen::Failure,
    waker,
};

/// Marks the end of the list of vacant slots.
const END: u64 = u64::MAX >> Flags::BITS;

/// Tables smaller than this are never made smaller.
const SMALLEST: usize = 4096;

/// Which task: a number never used again, and the slot it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskKey {
    pub(crate) id: u64,
    pub(crate) slot: u32,
}

/// What few tasks have, by the task's number.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) cancel_message: Option<String>,
    /// With numbers, by which their guards find them; the latest last.
    pub(crate) cleanups: Vec<(u64, Cleanup)>,
    /// Of a detached task.
    pub(super) failure: Option<Failure>,
}

pub(crate) struct Tasks {
    loop_id: u32,
    slots: Vec<Slot>,
    vacant: u64,
    live: usize,
    /// How many slots are not vacant.
    occupied: usize,
    /// With so few occupied, memory is given back.
    shrink_at: usize,
    next_id: u64,
    /// Boxed, for a removed task's are handed on with its result, and there are hardly ever any.
    extras: HashMap<u64, Box<Extra>>,
    /// Who awaits the task in the slot of the same number; as long as the highest slot that was ever awaited.
    awaiters: Vec<Option<Awaiter>>,
}

impl Tasks {
    pub(crate) fn new(loop_id: u32) -> Self {
        Tasks {
            loop_id,
            slots: Vec::new(),
            vacant: END,
            live: 0,
            occupied: 0,
            shrink_at: 0,
            next_id: 1,
            extras: HashMap::new(),
            awaiters: Vec::new(),
        }
    }

    /// Adds a task that is about to be queued.
    pub(crate) fn insert(&mut self, stage: Stage, flags: Flags) -> TaskKey {
        let id = self.next_id;
        self.next_id += 1;
        self.live += 1;
        self.occupied += 1;
        let word = id << Flags::BITS | u64::from((flags | Flags::QUEUED).0);
        if self.vacant == END {
            let index = self.slots.len();
            assert!(
                index < waker::MOST_SLOTS,
                "a loop holds no more than two billion tasks"
            );
            let waker = Some(waker::waker(self.loop_id, index as u32));
            self.slots.push(Slot { word, stage, waker });
            if index >= SMALLEST {
                self.shrink_at = index / 4;
            }
            return TaskKey {
                id,
                slot: index as u32,
            };
        }
        let index = self.vacant as u32;
        let slot = &mut self.slots[index as usize];
        self.vacant = slot.number();
        slot.word = word;
        slot.stage = stage;
        if slot.waker.is_none() {
            slot.waker = Some(waker::waker(self.loop_id, index));
        }
        TaskKey { id, slot: index }
    }

    fn slot(&self, key: TaskKey) -> Option<&Slot> {
        self.slots
            .get(key.slot as usize)
            .filter(|slot| slot.is_of(key.id))
    }

    fn slot_mut(&mut self, key: TaskKey) -> Option<&mut Slot> {
        self.slots
            .get_mut(key.slot as usize)
            .filter(|slot| slot.is_of(key.id))
    }

    /// Marks a task as queued; `None` when it is, or is done.
    pub(crate) fn queue_task(&mut self, key: TaskKey) -> Option<Queued> {
        let slot = self.slot_mut(key)?;
        if slot.flags().any(Flags::QUEUED) || slot.is_done() {
            return None;
        }
        slot.set(Flags::QUEUED);
        Some(key.into())
    }

    /// Marks a slot as queued; `None` when it is, or when nothing there can be polled.
    pub(crate) fn queue(&mut self, index: u32) -> Option<Queued> {
        let slot = self.slots.get_mut(index as usize)?;
        if slot.is_vacant() || slot.is_done() || slot.flags().any(Flags::QUEUED) {
            return None;
        }
        slot.set(Flags::QUEUED);
        Some(Queued {
            slot: index,
            tag: slot.number() as u32,
        })
    }

    /// The number of a queued task; `None` when its slot has passed to another.
    pub(crate) fn id_of(&self, queued: Queued) -> Option<u64> {
        let slot = self.slots.get(queued.slot as usize)?;
        (slot.number() as u32 == queued.tag && !slot.is_vacant()).then(|| slot.number())
    }

    /// Takes out what a queued slot holds, to be polled.
    pub(crate) fn begin(&mut self, queued: Queued) -> Begun {
        let Some(slot) = self.slots.get_mut(queued.slot as usize) else {
            return Begun::Nothing;
        };
        if slot.number() as u32 != queued.tag || slot.is_vacant() {
            return Begun::Nothing;
        }
        slot.clear(Flags::QUEUED);
        let flags = slot.flags();
        if flags.any(Flags::MAIN) {
            return Begun::Main;
        }
        match (
            std::mem::replace(&mut slot.stage, Stage::Absent),
            slot.waker.take(),
        ) {
            (Stage::Pending(body), Some(waker)) => Begun::Turn(Turn {
                key: TaskKey {
                    id: slot.number(),
                    slot: queued.slot,
                },
                flags,
                body,
                waker,
            }),
            // Done, or being polled further up this very stack.
            (stage, waker) => {
                slot.stage = stage;
                slot.waker = waker;
                Begun::Nothing
            }
        }
    }

    /// Puts back what `begin` took.
    pub(crate) fn put_back(&mut self, key: TaskKey, body: Body, waker: Waker) {
        let slot = &mut self.slots[key.slot as usize];
        slot.waker = Some(waker);
        slot.stage = Stage::Pending(body);
    }

    /// The task has ended with what `stage` says. Gives whom to tell, and what to drop outside any borrow: the result
    /// that nobody can ask for.
    pub(crate) fn finish(
        &mut self,
        key: TaskKey,
        stage: Stage,
        waker: Waker,
    ) -> (Hearer, Option<Removed>) {
        self.live -= 1;
        let slot = &mut self.slots[key.slot as usize];
        slot.waker = Some(waker);
        slot.stage = stage;
        let unwanted = if slot.flags().any(Flags::DETACHED) {
            self.remove(key)
        } else {
            None
        };
        let awaiter = self
            .awaiters
            .get_mut(key.slot as usize)
            .and_then(Option::take);
        let hearer = match awaiter {
            Some(Awaiter::Task(awaiter)) => match self.queue_task(awaiter) {
                Some(queued) => Hearer::Task(queued),
                None => Hearer::Nobody,
            },
            Some(Awaiter::Other(waker)) => Hearer::Other(waker),
            None => Hearer::Nobody,
        };
        (hearer, unwanted)
    }

    /// Frees a slot and gives what it held, to be dropped outside any borrow.
    pub(crate) fn remove(&mut self, key: TaskKey) -> Option<Removed> {
        let next = self.vacant << Flags::BITS | u64::from(Flags::VACANT.0);
        let slot = self.slot_mut(key)?;
        let has_extra = slot.flags().any(Flags::HAS_EXTRA);
        slot.word = next;
        let stage = std::mem::replace(&mut slot.stage, Stage::Absent);
        self.vacant = u64::from(key.slot);
        self.occupied -= 1;
        if self.occupied < self.shrink_at {
            self.shrink();
        }
        let extra = if has_extra {
            self.extras.remove(&key.id)
        } else {
            None
        };
        Some(Removed { stage, extra })
    }

    /// Gives back what a crowd of tasks needed that is gone: the vacant slots at the end, and the wakers of the others.
    /// A late wake of a slot that is no more finds nothing.
    #[cold]
    fn shrink(&mut self) {
        let used = self.slots.iter().rposition(|slot| !slot.is_vacant());
        let kept = used.map_or(0, |last| last + 1);
        self.slots.truncate(kept);
        self.slots.shrink_to(SMALLEST);
        // Each time costs a look at every slot, so the next comes when half of the tasks are gone again.
        self.shrink_at = if kept > SMALLEST {
            self.occupied / 2 + 1
        } else {
            0
        };
        self.awaiters.truncate(kept);
        self.awaiters.shrink_to(SMALLEST);
        self.extras.shrink_to(SMALLEST);
        self.vacant = END;
        for (index, slot) in self.slots.iter_mut().enumerate().rev() {
            if slot.is_vacant() {
                slot.word = self.vacant << Flags::BITS | u64::from(Flags::VACANT.0);
                slot.waker = None;
                self.vacant = index as u64;
            }
        }
    }

    /// Takes a main task off the table.
    pub(crate) fn remove_main(&mut self, key: TaskKey) -> (Option<Awaiter>, Option<Removed>) {
        self.live -= 1;
        let awaiter = self
            .awaiters
            .get_mut(key.slot as usize)
            .and_then(Option::take);
        (awaiter, self.remove(key))
    }

    /// The clean-ups of a cancelled task are its body from now on.
    pub(crate) fn clean(&mut self, key: TaskKey) {
        if let Some(slot) = self.slot_mut(key) {
            slot.clear(Flags::CANCEL);
            slot.set(Flags::CLEANING);
        }
    }

    pub(crate) fn waker(&self, key: TaskKey) -> Option<Waker> {
        self.slot(key)?.waker.clone()
    }

    /// Remembers who awaits the task, in place of who did before. `Err` when it is done.
    pub(crate) fn set_awaiter(
        &mut self,
        key: TaskKey,
        awaiter: Awaiter,
    ) -> Result<Option<Awaiter>, Done> {
        if self.is_done(key) {
            return Err(Done);
        }
        let place = key.slot as usize;
        if self.awaiters.len() <= place {
            self.awaiters.resize_with(place + 1, || None);
        }
        Ok(self.awaiters[place].replace(awaiter))
    }

    pub(crate) fn is_done(&self, key: TaskKey) -> bool {
        self.slot(key).is_none_or(Slot::is_done)
    }

    /// Whether a task that is done has panicked or was cancelled.
    pub(crate) fn has_failed(&self, key: TaskKey) -> bool {
        self.slot(key)
            .is_some_and(|slot| matches!(slot.stage, Stage::Failed(_)))
    }

    /// Sets flags; `None` when the task is done. Otherwise the flags of before.
    pub(crate) fn set(&mut self, key: TaskKey, flags: Flags) -> Option<Flags> {
        let slot = self.slot_mut(key).filter(|slot| !slot.is_done())?;
        let before = slot.flags();
        slot.set(flags);
        Some(before)
    }

    pub(crate) fn flags(&self, key: TaskKey) -> Option<Flags> {
        self.slot(key).map(Slot::flags)
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
            .filter(|(_, slot)| !slot.is_vacant() && !slot.is_done());
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
        // Looked at first: most loops have no extras, and hashing costs more than the rest of an await.
        if self.extras.is_empty() {
            None
        } else {
            self.extras.get(&id).map(|extra| &**extra)
        }
    }

    pub(crate) fn extra_mut(&mut self, key: TaskKey) -> Option<&mut Extra> {
        self.slot_mut(key)?.set(Flags::HAS_EXTRA);
        Some(self.extras.entry(key.id).or_default())
    }

    pub(crate) fn name(&self, id: u64) -> Rc<str> {
        match self.extra(id).and_then(|extra| extra.name.clone()) {
            Some(name) => name,
            None => format!("Task-{id}").into(),
        }
    }
}

/// The task has ended.
#[derive(Debug)]
pub(crate) struct Done;
