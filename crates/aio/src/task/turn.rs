//! What the table of tasks hands out: turns, what ended tasks leave, and who is to hear of it.

use std::task::Waker;

use super::{
    flags::Flags,
    slot::{Body, Stage},
    table::{Extra, TaskKey},
};
use crate::executor::Current;

/// A task in the ready queue. With a part of its number: a slot may have passed to another task meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queued {
    pub(super) slot: u32,
    pub(super) tag: u32,
}

impl From<TaskKey> for Queued {
    fn from(key: TaskKey) -> Self {
        Queued {
            slot: key.slot,
            tag: key.id as u32,
        }
    }
}

/// Who awaits a task.
pub(crate) enum Awaiter {
    /// A task of the same loop, polled with its own waker: to wake it takes no atomics.
    Task(TaskKey),
    Other(Waker),
}

impl Awaiter {
    /// Who is polled with this waker, while the task `current` is.
    pub(super) fn of(current: Current, waker: &Waker) -> Self {
        match current {
            Some((key, mark)) if mark.is_of(waker) => Awaiter::Task(key),
            _ => Awaiter::Other(waker.clone()),
        }
    }
}

/// What a task leaves behind.
pub(crate) struct Removed {
    pub(crate) stage: Stage,
    pub(crate) extra: Option<Box<Extra>>,
}

/// A task's body and waker, taken out to be polled.
pub(crate) struct Turn {
    pub(crate) key: TaskKey,
    pub(crate) flags: Flags,
    pub(crate) body: Body,
    pub(crate) waker: Waker,
}

/// What a queued slot turns out to hold.
pub(crate) enum Begun {
    /// Nothing to poll any more, or another task.
    Nothing,
    /// The main task, which the caller polls.
    Main,
    Turn(Turn),
}

/// Who is to hear that a task has ended.
pub(crate) enum Hearer {
    Nobody,
    /// A task of this loop, which is to be put into the ready queue.
    Task(Queued),
    Other(Waker),
}
