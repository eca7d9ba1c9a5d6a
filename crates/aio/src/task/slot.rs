//! A place in the table of tasks.

use std::{pin::Pin, task::Waker};

use super::{flags::Flags, step::Step};
use crate::error::TaskError;

pub(crate) type Body = Pin<Box<dyn Step>>;

/// Where a task is.
pub(crate) enum Stage {
    /// It has no body here: vacant, the main one, or being polled.
    Absent,
    Pending(Body),
    /// With its output.
    Done(Body),
    Failed(Box<TaskError>),
}

pub(super) struct Slot {
    /// The task's number and its flags in one word, for a sleeping task should cost little.
    pub(super) word: u64,
    pub(super) stage: Stage,
    /// Made once and kept for the slot's next tasks. `None` while the task is polled with it, and in a slot that has
    /// long been vacant.
    pub(super) waker: Option<Waker>,
}

impl Slot {
    pub(super) fn number(&self) -> u64 {
        self.word >> Flags::BITS
    }

    pub(super) fn flags(&self) -> Flags {
        Flags(self.word as u8)
    }

    pub(super) fn set(&mut self, flags: Flags) {
        self.word |= u64::from(flags.0);
    }

    pub(super) fn clear(&mut self, flags: Flags) {
        self.word &= !u64::from(flags.0);
    }

    /// Whether it holds the task of this number.
    pub(super) fn is_of(&self, id: u64) -> bool {
        // A vacant slot's number is another's place, so that flag counts.
        let number_and_vacancy = !u64::from(!Flags::VACANT.0);
        self.word & number_and_vacancy == id << Flags::BITS
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.flags().any(Flags::VACANT)
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done(_) | Stage::Failed(_))
    }
}
