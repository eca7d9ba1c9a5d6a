//! One step of a task: its body polled, or ended, with panics caught.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    Flags, cleanup,
    table::{Awaiter, Body, Queued, Stage, TaskKey, Turn},
};
use crate::{
    error::{Cancelled, Panicked, TaskError},
    executor::{Engine, WakerMark},
};

/// A task's body without its type. Its output is boxed, which costs nothing for a body that returns nothing.
pub(crate) trait Step {
    fn step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>>;
}

impl<F> Step for F
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>> {
        self.poll(cx).map(|output| Box::new(output) as Box<dyn Any>)
    }
}

impl Engine {
    /// Polls the task that a queued slot holds, once. True when it is the main one, which the caller polls.
    pub(crate) fn step(&self, queued: Queued) -> bool {
        let turn = self.tasks.borrow_mut().begin(queued);
        let Some(Turn {
            key,
            flags,
            stage,
            waker,
        }) = turn
        else {
            return false;
        };
        let mut body = match stage {
            Stage::Pending(body) => body,
            other => {
                self.tasks.borrow_mut().put_back(key, other, waker);
                return flags.any(Flags::MAIN);
            }
        };
        let outer = self.current.replace(Some((key, WakerMark::new(&waker))));
        let mut cx = Context::from_waker(&waker);
        let ended = if flags.any(Flags::CANCEL | Flags::ABORT) || self.closing.get() {
            self.end(key, flags, body, &mut cx)
        } else {
            match catch_unwind(AssertUnwindSafe(|| body.as_mut().step(&mut cx))) {
                Ok(Poll::Pending) => Err(body),
                Ok(Poll::Ready(output)) => Ok(drop_body(body, self.output(key, flags, output))),
                Err(payload) => Ok(drop_body(body, panicked(payload))),
            }
        };
        self.current.set(outer);
        match ended {
            Err(body) => {
                self.tasks
                    .borrow_mut()
                    .put_back(key, Stage::Pending(body), waker);
            }
            Ok(stage) => {
                self.debug.ended(key);
                let (awaiter, unwanted) = self.tasks.borrow_mut().finish(key, stage, waker);
                match awaiter {
                    Some(Awaiter::Task(awaiter)) => self.wake_task(awaiter),
                    Some(Awaiter::Other(awaiter)) => awaiter.wake(),
                    None => {}
                }
                self.discard(key, unwanted);
            }
        }
        false
    }

    /// Drops the body of a cancelled task; what is left to do are its clean-ups, or nothing.
    fn end(
        &self,
        key: TaskKey,
        flags: Flags,
        body: Body,
        cx: &mut Context<'_>,
    ) -> Result<Stage, Body> {
        let ending = cleanup::Ending::new(self, key);
        let stage = drop_body(body, self.ended(key));
        drop(ending);
        if flags.any(Flags::ABORT | Flags::CLEANING) || self.closing.get() {
            return Ok(stage);
        }
        let Some(mut cleanups) = cleanup::take(self, key) else {
            return Ok(stage);
        };
        match catch_unwind(AssertUnwindSafe(|| cleanups.as_mut().step(cx))) {
            Ok(Poll::Pending) => Err(cleanups),
            Ok(Poll::Ready(_)) => Ok(stage),
            Err(payload) => Ok(panicked(payload)),
        }
    }

    /// What a body that is done means: its output, or the cancellation that it cleaned up after.
    fn output(&self, key: TaskKey, flags: Flags, output: Box<dyn Any>) -> Stage {
        if flags.any(Flags::CLEANING) {
            self.ended(key)
        } else {
            Stage::Done(output)
        }
    }

    fn ended(&self, key: TaskKey) -> Stage {
        Stage::Failed(Box::new(if self.closing.get() {
            TaskError::LoopClosed
        } else {
            TaskError::Cancelled(self.cancelled(key))
        }))
    }

    /// The cancellation of a task, with the message it was given.
    pub(crate) fn cancelled(&self, key: TaskKey) -> Cancelled {
        let tasks = self.tasks.borrow();
        Cancelled::new(
            tasks
                .extra(key.id)
                .and_then(|extra| extra.cancel_message.clone()),
        )
    }

    /// Drops a value that may be anything.
    pub(crate) fn drop_quietly<T>(&self, what: &str, value: T) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.reporter.report(what, None, &Panicked::new(payload));
        }
    }
}

/// Drops a body. A panic in its destructor is how the task ends then.
fn drop_body(body: Body, stage: Stage) -> Stage {
    match catch_unwind(AssertUnwindSafe(|| drop(body))) {
        Ok(()) => stage,
        Err(payload) => panicked(payload),
    }
}

fn panicked(payload: Box<dyn Any + Send>) -> Stage {
    Stage::Failed(Box::new(TaskError::Panicked(Panicked::new(payload))))
}
