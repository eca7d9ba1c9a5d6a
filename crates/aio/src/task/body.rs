//! The future that async-task polls: the user's body, with cancellation and caught panics around it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::{Flags, TaskKey};
use crate::{
    error::{Cancelled, Panicked, TaskError},
    executor::Engine,
};

pin_project! {
    /// A task's body. `stage` is dropped before `place`, so the body's destructor still sees its task in the list.
    pub(crate) struct Body<F> {
        #[pin]
        stage: Option<F>,
        place: Place,
    }
}

/// The task's slot, freed when the body is gone.
struct Place {
    engine: Rc<Engine>,
    key: TaskKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        // The awaiter is polled in a later step, when the result has been stored.
        let removed = self.engine.tasks.borrow_mut().remove(self.key);
        removed.notify();
    }
}

impl<F: Future> Body<F> {
    pub(crate) fn new(engine: Rc<Engine>, key: TaskKey, body: F) -> Self {
        Body {
            stage: Some(body),
            place: Place { engine, key },
        }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = Result<F::Output, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (engine, key) = (&this.place.engine, this.place.key);
        let flags = engine.tasks.borrow().flags(key).unwrap_or(Flags::ABORT);
        let outer = engine.current.replace(Some(key));
        let polled = if flags.any(Flags::CANCEL | Flags::ABORT) || engine.closing.get() {
            Poll::Ready(Err(ended(engine, key)))
        } else {
            poll_body(this.stage.as_mut(), cx)
        };
        let polled = match polled {
            Poll::Ready(result) => Poll::Ready(drop_body(this.stage, result)),
            Poll::Pending => Poll::Pending,
        };
        engine.current.set(outer);
        match &polled {
            Poll::Pending if !flags.any(Flags::HAS_WAKER) => first_pending(engine, key, cx),
            Poll::Ready(Err(TaskError::Panicked(panicked))) => {
                report_if_detached(engine, key, panicked)
            }
            _ => {}
        }
        polled
    }
}

fn poll_body<F: Future>(
    stage: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, TaskError>> {
    let Some(body) = stage.as_pin_mut() else {
        return Poll::Ready(Err(TaskError::Taken));
    };
    match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(TaskError::Panicked(Panicked::new(payload)))),
    }
}

/// Drops the body where a panic of its destructor can be caught; in async-task it would end the process.
fn drop_body<F, T>(
    mut stage: Pin<&mut Option<F>>,
    result: Result<T, TaskError>,
) -> Result<T, TaskError> {
    match catch_unwind(AssertUnwindSafe(|| stage.set(None))) {
        Ok(()) => result,
        Err(payload) => Err(TaskError::Panicked(Panicked::new(payload))),
    }
}

fn ended(engine: &Engine, key: TaskKey) -> TaskError {
    if engine.closing.get() {
        return TaskError::LoopClosed;
    }
    let tasks = engine.tasks.borrow();
    let message = tasks
        .extra(key.id)
        .and_then(|extra| extra.cancel_message.clone());
    TaskError::Cancelled(Cancelled::new(message))
}

/// From now on the task can be woken to be cancelled. If that was asked for during the poll, it is due now.
fn first_pending(engine: &Engine, key: TaskKey, cx: &Context<'_>) {
    let mut tasks = engine.tasks.borrow_mut();
    tasks.set_waker(key, cx.waker());
    let cancelled = tasks
        .flags(key)
        .is_some_and(|flags| flags.any(Flags::CANCEL | Flags::ABORT));
    drop(tasks);
    if cancelled {
        cx.waker().wake_by_ref();
    }
}

fn report_if_detached(engine: &Engine, key: TaskKey, panicked: &Panicked) {
    let tasks = engine.tasks.borrow();
    if tasks
        .flags(key)
        .is_some_and(|flags| flags.any(Flags::DETACHED))
    {
        let name = tasks.name(key.id);
        drop(tasks);
        engine
            .reporter
            .report("a task that nobody awaits panicked", Some(&name), panicked);
    }
}
