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
    task::{Body, Ending, Flags, Stage, TaskKey, cleanups},
};

pin_project! {
    pub(crate) struct MainFuture<F: Future> {
        #[pin]
        future: Option<F>,
        // What is left to do of a future that was cancelled.
        cleanups: Option<Body>,
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
            cleanups: None,
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
    pub(crate) fn step(mut self: Pin<&mut Self>) {
        let this = self.as_mut().project();
        if this.result.is_some() {
            return;
        }
        let engine = this.place.engine.clone();
        let mark = WakerMark::new(this.waker);
        let outer = engine.current.replace(Some((this.place.key, mark)));
        *self.as_mut().project().result = self.as_mut().advance(&engine);
        engine.current.set(outer);
        if self.result.is_some() {
            // As asyncio: what is ready by now still has its turn, in the iteration that leaves the loop.
            let leaving = engine.clone();
            engine.call_soon(move || leaving.stop());
        }
    }

    /// The result, if there is one after one more poll.
    fn advance(self: Pin<&mut Self>, engine: &Engine) -> Option<Result<F::Output, RunError>> {
        let mut this = self.project();
        let key = this.place.key;
        if let Some(body) = this.cleanups {
            return clean(engine, key, body, this.waker);
        }
        let future = this.future.as_mut().as_pin_mut()?;
        let Some(cancelled) = cancelled(engine, key) else {
            let result = poll(future, this.waker)?;
            return Some(quietly(|| this.future.set(None)).and(result));
        };
        let ending = Ending::new(engine, key);
        let dropped = quietly(|| this.future.set(None));
        drop(ending);
        *this.cleanups = match aborted(engine, key) {
            true => None,
            false => cleanups(engine, key),
        };
        if this.cleanups.is_some() {
            // They begin in the next iteration.
            this.waker.wake_by_ref();
            return None;
        }
        Some(dropped.and(Err(RunError::Cancelled(cancelled))))
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

/// Drops the future. A panic in its destructor is how the run ends then.
fn quietly(drop: impl FnOnce()) -> Result<(), RunError> {
    catch_unwind(AssertUnwindSafe(drop))
        .map_err(|payload| RunError::Panicked(Panicked::new(payload)))
}

/// Polls the clean-ups of the future that was cancelled, unless it has been aborted since.
fn clean<T>(
    engine: &Engine,
    key: TaskKey,
    body: &mut Body,
    waker: &Waker,
) -> Option<Result<T, RunError>> {
    let mut cx = Context::from_waker(waker);
    let cleaned = match aborted(engine, key) {
        true => Ok(Poll::Ready(())),
        false => catch_unwind(AssertUnwindSafe(|| body.as_mut().step(&mut cx))),
    };
    match cleaned {
        Ok(Poll::Pending) => None,
        Ok(Poll::Ready(())) => Some(Err(RunError::Cancelled(engine.cancelled(key)))),
        Err(payload) => Some(Err(RunError::Panicked(Panicked::new(payload)))),
    }
}

fn cancelled(engine: &Engine, key: TaskKey) -> Option<Cancelled> {
    let flags = engine.tasks.borrow().flags(key)?;
    flags
        .any(Flags::CANCEL | Flags::ABORT)
        .then(|| engine.cancelled(key))
}

fn aborted(engine: &Engine, key: TaskKey) -> bool {
    let flags = engine.tasks.borrow().flags(key);
    flags.is_some_and(|flags| flags.any(Flags::ABORT))
}
