//! The handle of a task.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use super::{
    Flags, TaskRef,
    reference::request,
    slot::Stage,
    table::TaskKey,
    turn::{Awaiter, Removed},
};
use crate::{
    error::{Cancelled, TaskError},
    executor::Engine,
    outcome::Outcome,
};

/// A task of the loop: await it for its result, cancel it, name it.
///
/// Awaiting gives `Result<T, TaskError>`; a second await gives [`TaskError::Taken`].
///
/// **Dropping** a handle that nobody has awaited lets the task go on by itself; if it panics, the loop's exception
/// handler hears of it, and of an error of a common type, such as [`std::io::Error`]. [`Task::detach`] reports every
/// error. Dropping one *in the middle of an await* cancels the task, as in asyncio the cancellation of
/// a waiter reaches what it waits for: a timeout or a failed `gather` leaves nothing running. `detach` lets go in any
/// case.
///
/// ```
/// use aio::TaskError;
///
/// aio::run(async {
///     let task = aio::create_task(aio::sleep(std::time::Duration::from_secs(3600)));
///     task.cancel_with("not today");
///     match task.await {
///         Err(TaskError::Cancelled(cancelled)) => assert_eq!(cancelled.message(), Some("not today")),
///         other => panic!("{other:?}"),
///     }
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
#[must_use = "a dropped task goes on by itself and its result is lost: await it, or call detach()"]
pub struct Task<T> {
    state: State<T>,
}

enum State<T> {
    Live(Live<T>),
    /// There was no loop to create it on.
    Failed(TaskError),
    /// The result has been given.
    Taken {
        id: u64,
        name: Option<Rc<str>>,
    },
    Detached,
}

struct Live<T> {
    engine: Rc<Engine>,
    key: TaskKey,
    awaited: bool,
    output: PhantomData<T>,
}

impl<T> Task<T> {
    pub(crate) fn new(engine: Rc<Engine>, key: TaskKey) -> Self {
        Task {
            state: State::Live(Live {
                engine,
                key,
                awaited: false,
                output: PhantomData,
            }),
        }
    }

    pub(crate) fn without_loop() -> Self {
        Task {
            state: State::Failed(TaskError::NoRunningLoop),
        }
    }

    pub(crate) fn on_closed_loop() -> Self {
        Task {
            state: State::Failed(TaskError::LoopClosed),
        }
    }

    /// A task that never was, because what would own it is over.
    pub(crate) fn refused(why: &str) -> Self {
        Task {
            state: State::Failed(TaskError::Cancelled(Cancelled::new(Some(why.to_owned())))),
        }
    }

    /// Where it lives; `None` when its result has been taken, or it never lived.
    pub(crate) fn place(&self) -> Option<(Rc<Engine>, TaskKey)> {
        match &self.state {
            State::Live(live) => Some((live.engine.clone(), live.key)),
            _ => None,
        }
    }

    pub(crate) fn key(&self) -> Option<TaskKey> {
        match &self.state {
            State::Live(live) => Some(live.key),
            _ => None,
        }
    }

    /// Cancels the task: its body is dropped where it is suspended, before it would be polled again, so its destructors
    /// run, and awaiting it gives [`TaskError::Cancelled`]. A body that has not begun never does.
    ///
    /// False when the task is done already.
    pub fn cancel(&self) -> bool {
        self.request(Flags::CANCEL, None)
    }

    /// As [`cancel`](Task::cancel), with a message for whoever awaits the task.
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        self.request(Flags::CANCEL, Some(message.into()))
    }

    /// As [`cancel`](Task::cancel), without waiting for the task's asynchronous clean-ups.
    pub fn abort(&self) -> bool {
        self.request(Flags::ABORT, None)
    }

    fn request(&self, how: Flags, message: Option<String>) -> bool {
        match &self.state {
            State::Live(live) => request(&live.engine, live.key, how, message),
            _ => false,
        }
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_done(&self) -> bool {
        match &self.state {
            State::Live(live) => live.engine.tasks.borrow().is_done(live.key),
            _ => true,
        }
    }

    /// The task's name: the one it was given, or "Task-N" with a number that no other task of the loop has.
    pub fn name(&self) -> String {
        match &self.state {
            State::Live(live) => live.engine.tasks.borrow().name(live.key.id).to_string(),
            State::Taken {
                name: Some(name), ..
            } => name.to_string(),
            State::Taken { id, name: None } => format!("Task-{id}"),
            State::Failed(_) | State::Detached => "Task-0".to_owned(),
        }
    }

    /// Names the task, for the task list and for reports. Without effect on a task made where no loop runs.
    pub fn set_name(&self, name: impl AsRef<str>) {
        if let State::Live(live) = &self.state {
            let mut tasks = live.engine.tasks.borrow_mut();
            if let Some(extra) = tasks.extra_mut(live.key) {
                extra.name = Some(name.as_ref().into());
            }
        }
    }

    /// Lets the task go on by itself, also if it was awaited before. A panic of its body, and the error that it returns, are
    /// reported to the loop's exception handler when it ends.
    pub fn detach(self)
    where
        T: Outcome + 'static,
    {
        if let State::Live(live) = &self.state {
            live.engine.expect_unseen::<T>(live.key);
        }
        self.release();
    }

    /// As [`detach`](Task::detach), where it is not known whether the output may be a failure.
    pub(crate) fn release(mut self) {
        if let State::Live(live) = std::mem::replace(&mut self.state, State::Detached) {
            live.let_go();
        }
    }

    /// The task without its result, for those that only name or cancel it. `None` once the result has been taken.
    pub fn reference(&self) -> Option<TaskRef> {
        match &self.state {
            State::Live(live) => Some(TaskRef::new(&live.engine, live.key)),
            State::Taken { .. } | State::Failed(_) | State::Detached => None,
        }
    }
}

impl<T> Live<T> {
    /// The handle is gone; the task may not be.
    fn let_go(self) {
        let mut tasks = self.engine.tasks.borrow_mut();
        if tasks.set(self.key, Flags::DETACHED).is_some() {
            return;
        }
        // Done, and its result was never looked at: a failure in it must not be lost.
        let removed = tasks.remove(self.key);
        drop(tasks);
        if let Some(removed) = removed {
            self.engine.discard(self.key, removed);
        }
    }
}

impl<T: 'static> Live<T> {
    /// The result of a task that is done, and the name it was given.
    fn take(&self) -> (Result<T, TaskError>, Option<Rc<str>>) {
        let removed = self.engine.tasks.borrow_mut().remove(self.key);
        let Some(Removed { stage, extra }) = removed else {
            return (Err(TaskError::Taken), None);
        };
        let name = extra.and_then(|extra| extra.name);
        let result =
            match stage {
                Stage::Done(mut body) => {
                    let mut output = None;
                    body.as_mut().take_output(&mut output);
                    Ok(output
                        .expect("the handle has the type of the future that the task was made of"))
                }
                Stage::Failed(error) => Err(*error),
                Stage::Absent | Stage::Pending(_) => unreachable!("only what is done is taken"),
            };
        (result, name)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Detached) {
            State::Live(live) => {
                if live.awaited {
                    live.engine.debug.awaited_no_more(live.key);
                    request(&live.engine, live.key, Flags::CANCEL, None);
                }
                live.let_go();
            }
            State::Taken { .. } | State::Failed(_) | State::Detached => {}
        }
    }
}

impl<T> Unpin for Task<T> {}

impl<T: 'static> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let live = match &mut self.state {
            State::Live(live) => live,
            State::Failed(error) => return Poll::Ready(Err(error.clone())),
            State::Taken { .. } | State::Detached => return Poll::Ready(Err(TaskError::Taken)),
        };
        let current = live.engine.current.get();
        if current.is_some_and(|(key, _)| key == live.key) {
            return Poll::Ready(Err(TaskError::AwaitsItself));
        }
        live.awaited = true;
        let awaiter = Awaiter::of(current, cx.waker());
        let before = live
            .engine
            .tasks
            .borrow_mut()
            .set_awaiter(live.key, awaiter);
        if let Ok(before) = before {
            // Dropped with no borrow held: a waker may own anything.
            drop(before);
            live.engine
                .debug
                .awaits(current.map(|(key, _)| key), live.key);
            return Poll::Pending;
        }
        let (result, name) = live.take();
        self.state = State::Taken {
            id: live.key.id,
            name,
        };
        Poll::Ready(result)
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name())
            .field("done", &self.is_done())
            .finish()
    }
}
