//! The future of `run_until_complete`: polled in the ready queue's order, but owned by the caller, so it may borrow.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;

use crate::{
    error::{Cancelled, Panicked, RunError},
    executor::{Engine, Ready, WakerMark},
    task::{Flags, Stage, TaskKey},
};

pin_project! {
    pub(crate) struct MainFuture<F: Future> {
        #[pin]
        future: Option<F>,
        result: Option<Result<F::Output, RunError>>,
        waker: Waker,
        place: Place,
    }
}

/// Its entry in the task list.
struct Place {
    engine: Rc<Engine>,
    key: TaskKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (awaiter, removed) = self.engine.tasks.borrow_mut().remove_main(self.key);
        drop((awaiter, removed));
    }
}

impl<F: Future> MainFuture<F> {
    /// Lists it as a task. Its first step is queued when the run has begun.
    pub(crate) fn new(engine: &Rc<Engine>, future: F) -> Self {
        let mut tasks = engine.tasks.borrow_mut();
        let key = tasks.insert(Stage::Absent, Flags::MAIN);
        let waker = tasks.waker(key).unwrap_or_else(|| Waker::noop().clone());
        drop(tasks);
        let place = Place {
            engine: engine.clone(),
            key,
        };
        MainFuture {
            future: Some(future),
            result: None,
            waker,
            place,
        }
    }

    /// Its first step.
    pub(crate) fn first(&self) -> Ready {
        Ready::Step(self.place.key.into())
    }

    /// Polls the future once, unless it is done: the loop found it in the ready queue.
    pub(crate) fn step(self: Pin<&mut Self>) {
        let mut this = self.project();
        let engine = &this.place.engine;
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return;
        };
        let outer = engine
            .current
            .replace(Some((this.place.key, WakerMark::new(this.waker))));
        let mut result = match cancelled(engine, this.place.key) {
            Some(cancelled) => Some(Err(RunError::Cancelled(cancelled))),
            None => poll(future, this.waker),
        };
        if result.is_some()
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.future.set(None)))
        {
            result = Some(Err(RunError::Panicked(Panicked::new(payload))));
        }
        engine.current.set(outer);
        if result.is_some() {
            // As asyncio: what is ready by now still has its turn, in the iteration that leaves the loop.
            let leaving = engine.clone();
            engine.call_soon(move || leaving.stop());
            *this.result = result;
        }
    }

    /// The result, when the loop has been left.
    pub(crate) fn finish(self: Pin<&mut Self>) -> Result<F::Output, RunError> {
        self.project()
            .result
            .take()
            .unwrap_or(Err(RunError::Stopped))
    }
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Option<Result<F::Output, RunError>> {
    let mut cx = Context::from_waker(waker);
    match catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx))) {
        Ok(Poll::Pending) => None,
        Ok(Poll::Ready(output)) => Some(Ok(output)),
        Err(payload) => Some(Err(RunError::Panicked(Panicked::new(payload)))),
    }
}

fn cancelled(engine: &Engine, key: TaskKey) -> Option<Cancelled> {
    let flags = engine.tasks.borrow().flags(key)?;
    flags
        .any(Flags::CANCEL | Flags::ABORT)
        .then(|| engine.cancelled(key))
}
