//! One step of a task: its body polled, or ended, with panics caught.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use pin_project_lite::pin_project;

use super::{
    Flags, cleanup,
    slot::{Body, Stage},
    table::TaskKey,
    turn::{Begun, Hearer, Queued, Turn},
};
use crate::{
    error::{Cancelled, Panicked, TaskError},
    executor::{Engine, Ready, WakerMark},
};

/// A task's body without its type.
pub(crate) trait Step {
    /// Polls the future. When it is done it is dropped, and its output stays here until it is taken.
    fn step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
    /// Moves the output of a future that is done into `place`, an `Option` of its type. False when it is of another
    /// type, or there is none.
    fn take_output(self: Pin<&mut Self>, place: &mut dyn Any) -> bool;
    /// The output of a future that is done, for those who do not know its type.
    fn box_output(self: Pin<&mut Self>) -> Option<Box<dyn Any>>;
}

pin_project! {
    /// A future, and then its output in the same place: a task takes one allocation.
    #[project = BodyProjection]
    #[project_replace = BodyReplaced]
    enum TypedBody<F: Future> {
        Running {
            #[pin]
            future: F,
        },
        Done {
            output: F::Output,
        },
        Taken,
    }
}

/// The body of a task that runs `future`.
pub(crate) fn body<F>(future: F) -> Body
where
    F: Future + 'static,
    F::Output: 'static,
{
    Box::pin(TypedBody::Running { future })
}

impl<F> Step for TypedBody<F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let BodyProjection::Running { future } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let output = ready!(future.poll(cx));
        self.set(TypedBody::Done { output });
        Poll::Ready(())
    }

    fn take_output(self: Pin<&mut Self>, place: &mut dyn Any) -> bool {
        let Some(place) = place.downcast_mut::<Option<F::Output>>() else {
            return false;
        };
        if let BodyReplaced::Done { output } = self.project_replace(TypedBody::Taken) {
            *place = Some(output);
        }
        place.is_some()
    }

    fn box_output(self: Pin<&mut Self>) -> Option<Box<dyn Any>> {
        match self.project_replace(TypedBody::Taken) {
            BodyReplaced::Done { output } => Some(Box::new(output)),
            _ => None,
        }
    }
}

impl Engine {
    /// Polls the task that a queued slot holds, once. True when it is the main one, which the caller polls.
    pub(crate) fn step(&self, queued: Queued) -> bool {
        let begun = self.tasks.borrow_mut().begin(queued);
        let Turn {
            key,
            flags,
            mut body,
            waker,
        } = match begun {
            Begun::Nothing => return false,
            Begun::Main => return true,
            Begun::Turn(turn) => turn,
        };
        let outer = self.current.replace(Some((key, WakerMark::new(&waker))));
        let mut cx = Context::from_waker(&waker);
        let ended = if flags.any(Flags::CANCEL | Flags::ABORT) || self.closing.get() {
            self.end(key, flags, body, &mut cx)
        } else {
            match catch_unwind(AssertUnwindSafe(|| body.as_mut().step(&mut cx))) {
                Ok(Poll::Pending) => Err(body),
                Ok(Poll::Ready(())) if flags.any(Flags::CLEANING) => {
                    // What cleaned up after a cancellation has no output: the cancellation is.
                    Ok(drop_body(body, self.ended(key)))
                }
                Ok(Poll::Ready(())) => Ok(Stage::Done(body)),
                Err(payload) => Ok(drop_body(body, panicked(payload))),
            }
        };
        self.current.set(outer);
        match ended {
            Err(body) => self.tasks.borrow_mut().put_back(key, body, waker),
            Ok(stage) => self.finish(key, stage, waker),
        }
        false
    }

    fn finish(&self, key: TaskKey, stage: Stage, waker: Waker) {
        self.debug.ended(key);
        let (hearer, unwanted) = self.tasks.borrow_mut().finish(key, stage, waker);
        match hearer {
            Hearer::Task(queued) => self.push(Ready::Step(queued)),
            Hearer::Other(waker) => waker.wake(),
            Hearer::Nobody => {}
        }
        if let Some(unwanted) = unwanted {
            self.discard(key, unwanted);
        }
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
