//! A task without its result's type: what can be asked of any task.

use std::{
    fmt,
    rc::{Rc, Weak},
};

use super::{Flags, TaskKey};
use crate::{current, executor::Engine};

/// A task whatever its result is: its name, whether it is done, its cancellation.
///
/// It does not keep the task alive, and dropping it changes nothing.
#[derive(Clone)]
pub struct TaskRef {
    engine: Weak<Engine>,
    key: TaskKey,
}

impl TaskRef {
    pub(crate) fn new(engine: &Rc<Engine>, key: TaskKey) -> Self {
        TaskRef {
            engine: Rc::downgrade(engine),
            key,
        }
    }

    /// The task's name: the one it was given, or "Task-N".
    pub fn name(&self) -> String {
        match self.engine.upgrade() {
            Some(engine) => engine.tasks.borrow().name(self.key.id).to_string(),
            None => format!("Task-{}", self.key.id),
        }
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_done(&self) -> bool {
        self.engine
            .upgrade()
            .is_none_or(|engine| engine.tasks.borrow().is_done(self.key))
    }

    /// Has the task polled.
    #[cfg(feature = "http")]
    pub(crate) fn wake(&self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.wake_slot(self.key.slot);
        }
    }

    /// As [`Task::cancel`](crate::Task::cancel).
    pub fn cancel(&self) -> bool {
        self.engine
            .upgrade()
            .is_some_and(|engine| request(&engine, self.key, Flags::CANCEL, None))
    }

    /// As [`Task::cancel_with`](crate::Task::cancel_with).
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        self.engine
            .upgrade()
            .is_some_and(|engine| request(&engine, self.key, Flags::CANCEL, Some(message.into())))
    }

    /// As [`Task::abort`](crate::Task::abort).
    pub fn abort(&self) -> bool {
        self.engine
            .upgrade()
            .is_some_and(|engine| request(&engine, self.key, Flags::ABORT, None))
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.engine.ptr_eq(&other.engine)
    }
}

impl Eq for TaskRef {}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef")
            .field("name", &self.name())
            .field("done", &self.is_done())
            .finish()
    }
}

/// Marks a task to be ended before its next poll, and makes that poll come. False when it is done.
pub(crate) fn request(engine: &Engine, key: TaskKey, how: Flags, message: Option<String>) -> bool {
    let mut tasks = engine.tasks.borrow_mut();
    if tasks.is_done(key) {
        return false;
    }
    // A task that is cleaning up has been cancelled already; only an abort cuts that short.
    let cleaning = tasks
        .flags(key)
        .is_some_and(|flags| flags.any(Flags::CLEANING));
    if cleaning && how == Flags::CANCEL {
        return true;
    }
    tasks.set(key, how);
    if let (Some(message), Some(extra)) = (message, tasks.extra_mut(key)) {
        extra.cancel_message = Some(message);
    }
    drop(tasks);
    engine.wake_slot(key.slot);
    true
}

/// Cancels a task of the loop that runs on this thread.
pub(crate) fn cancel_here(key: TaskKey) {
    if let Ok(engine) = current::engine() {
        request(&engine, key, Flags::CANCEL, None);
    }
}
