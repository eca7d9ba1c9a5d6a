//! Tasks that live and fail together.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;

use super::{Task, TaskRef, create_task};
use crate::{
    catch::{Catch, catch},
    error::{GroupError, GroupFailure, Panicked},
};

/// Runs `body` with a group of tasks, and ends when it and all tasks of the group have ended.
///
/// The first failure, of a task or of the body, cancels the others and the body; so does [`TaskGroup::cancel`]. All
/// failures are collected; cancelled tasks are none. While the group still waits for its tasks, these may create
/// further ones; after a failure nothing is created any more. Dropping the group's future cancels all of it.
///
/// # Errors
///
/// [`GroupError::Failed`] with every error and panic, [`GroupError::Cancelled`] after [`TaskGroup::cancel`].
///
/// ```
/// use aio::{GroupError, TaskGroup, task_group};
///
/// aio::run(async {
///     let sum = task_group(async |group: &TaskGroup<String>| {
///         let one = group.create_task(async { Ok(1) });
///         let two = group.create_task(async { Ok(2) });
///         Ok(one.await.unwrap().unwrap() + two.await.unwrap().unwrap())
///     });
///     assert_eq!(sum.await.unwrap(), 3);
///
///     let failing = task_group(async |group: &TaskGroup<String>| {
///         group.create_task(async { Err::<(), _>("no luck".to_owned()) }).detach();
///         std::future::pending::<Result<(), String>>().await
///     });
///     match failing.await {
///         Err(GroupError::Failed(failures)) => assert_eq!(failures[0].to_string(), "no luck"),
///         other => panic!("{other:?}"),
///     }
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub async fn task_group<T, E, B>(body: B) -> Result<T, GroupError<E>>
where
    E: 'static,
    B: AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>,
{
    let group = TaskGroup {
        shared: Rc::new(Shared::new()),
    };
    // Also when this future is dropped at one of its awaits.
    let _cancelling = CancelAll(group.shared.clone());
    let value = run_body(&group.shared, catch(body(&group))).await;
    poll_fn(|cx| group.shared.poll_empty(cx)).await;
    group.shared.finished.set(true);
    let failures = group.shared.failures.take();
    match value {
        Some(value) if failures.is_empty() && !group.shared.cancelled.get() => Ok(value),
        _ if failures.is_empty() => Err(GroupError::Cancelled),
        _ => Err(GroupError::Failed(failures)),
    }
}

/// The body's value; `None` when it failed, or was dropped because something else did.
async fn run_body<T, E: 'static>(
    shared: &Shared<E>,
    body: Catch<impl Future<Output = Result<T, E>>>,
) -> Option<T> {
    let ended = Body {
        body: Some(body),
        shared,
    }
    .await?;
    match ended {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(error)) => shared.fail(GroupFailure::Error(error)),
        Err(panicked) => shared.fail(GroupFailure::Panicked(panicked)),
    }
    None
}

pin_project! {
    /// The body, until the group fails: then it is dropped where it stands.
    struct Body<'a, F, E> {
        #[pin]
        body: Option<Catch<F>>,
        shared: &'a Shared<E>,
    }
}

impl<F: Future, E> Future for Body<'_, F, E> {
    type Output = Option<Result<F::Output, Panicked>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.shared.is_ending() {
            this.body.set(None);
        }
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(ended) = body.poll(cx) {
            return Poll::Ready(Some(ended));
        }
        // The failure may have come from within this very poll.
        if this.shared.is_ending() {
            this.body.set(None);
            return Poll::Ready(None);
        }
        this.shared.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// Creates tasks in a group; given to the body of [`task_group`]. Clones mean the same group.
pub struct TaskGroup<E> {
    shared: Rc<Shared<E>>,
}

struct Shared<E> {
    tasks: RefCell<BTreeMap<u64, TaskRef>>,
    next: Cell<u64>,
    failures: RefCell<Vec<GroupFailure<E>>>,
    cancelled: Cell<bool>,
    finished: Cell<bool>,
    /// The group's own future.
    waker: RefCell<Option<Waker>>,
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        TaskGroup {
            shared: self.shared.clone(),
        }
    }
}

impl<E: 'static> TaskGroup<E> {
    /// Starts a task of the group. Its value comes as `Some`; `None` means that it failed, which the group tells.
    ///
    /// When the group has failed, was cancelled or has ended, the future is dropped and the task is already finished,
    /// cancelled.
    pub fn create_task<T, F>(&self, future: F) -> Task<Option<T>>
    where
        T: 'static,
        F: Future<Output = Result<T, E>> + 'static,
    {
        if self.shared.is_ending() || self.shared.finished.get() {
            return Task::refused("its task group is over");
        }
        let number = self.shared.next.get();
        self.shared.next.set(number + 1);
        let member = Member {
            shared: Rc::downgrade(&self.shared),
            number,
        };
        let task = create_task(async move {
            // Dropped, whatever happens, when the task ends.
            let member = member;
            match catch(future).await {
                Ok(Ok(value)) => return Some(value),
                Ok(Err(error)) => member.fail(GroupFailure::Error(error)),
                Err(panicked) => member.fail(GroupFailure::Panicked(panicked)),
            }
            None
        });
        if let Some(reference) = task.reference() {
            self.shared.tasks.borrow_mut().insert(number, reference);
        }
        task
    }

    /// Cancels the body and all tasks of the group.
    pub fn cancel(&self) {
        self.shared.cancelled.set(true);
        self.shared.cancel_tasks();
    }
}

impl<E> Shared<E> {
    fn new() -> Self {
        Shared {
            tasks: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
            failures: RefCell::new(Vec::new()),
            cancelled: Cell::new(false),
            finished: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    fn is_ending(&self) -> bool {
        self.cancelled.get() || !self.failures.borrow().is_empty()
    }

    fn fail(&self, failure: GroupFailure<E>) {
        self.failures.borrow_mut().push(failure);
        self.cancel_tasks();
    }

    fn cancel_tasks(&self) {
        let tasks: Vec<TaskRef> = self.tasks.borrow().values().cloned().collect();
        tasks.iter().for_each(|task| {
            task.cancel();
        });
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        if self.tasks.borrow().is_empty() {
            return Poll::Ready(());
        }
        self.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

struct Member<E> {
    shared: Weak<Shared<E>>,
    number: u64,
}

impl<E> Member<E> {
    fn fail(&self, failure: GroupFailure<E>) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        // It is ending by itself, and need not be cancelled with the others.
        shared.tasks.borrow_mut().remove(&self.number);
        shared.fail(failure);
    }
}

impl<E> Drop for Member<E> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        shared.tasks.borrow_mut().remove(&self.number);
        if shared.tasks.borrow().is_empty() {
            shared.wake();
        }
    }
}

/// Cancels what is left when the group's future is dropped.
struct CancelAll<E>(Rc<Shared<E>>);

impl<E> Drop for CancelAll<E> {
    fn drop(&mut self) {
        if !self.0.finished.get() {
            self.0.cancelled.set(true);
            self.0.cancel_tasks();
        }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("tasks", &self.shared.tasks.borrow().len())
            .field("ending", &self.shared.is_ending())
            .finish()
    }
}
