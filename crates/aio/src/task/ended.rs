//! The end of a task, without its result.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use super::{Task, table::TaskKey, turn::Awaiter};
use crate::executor::Engine;

/// Ends when its task does, and tells whether the task has panicked or was cancelled. It leaves the result where it is
/// and does not count as awaiting the task: dropping it cancels nothing.
pub(crate) struct Ended {
    task: Option<(Rc<Engine>, TaskKey)>,
}

impl<T> Task<T> {
    pub(crate) fn ended(&self) -> Ended {
        Ended { task: self.place() }
    }
}

impl Future for Ended {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let Some((engine, key)) = &self.task else {
            return Poll::Ready(true);
        };
        let awaiter = Awaiter::of(engine.current.get(), cx.waker());
        let mut tasks = engine.tasks.borrow_mut();
        match tasks.set_awaiter(*key, awaiter) {
            Ok(before) => {
                // Dropped with no borrow held: a waker may own anything.
                drop(tasks);
                drop(before);
                Poll::Pending
            }
            Err(_) => Poll::Ready(tasks.has_failed(*key)),
        }
    }
}
