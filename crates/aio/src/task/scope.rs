//! Concurrent children that borrow.

use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::{
    catch::catch,
    combine::Children,
    error::{Panicked, TaskError},
};

/// Runs `body`, which may spawn children that borrow from the surroundings, and ends when it and all children have.
///
/// The children are owned and polled by this very future, within the caller's task: they are concurrent with each other
/// and with the body, but no tasks of the loop. Dropping the future drops them; leaking it means that they are never
/// polled again. So they may borrow whatever outlives the scope.
///
/// ```
/// use std::{cell::Cell, time::Duration};
///
/// let total = Cell::new(0);
/// let numbers = vec![1, 2, 3];
/// aio::run(aio::scope(async |scope| {
///     for number in &numbers {
///         scope.spawn(async {
///             aio::sleep(Duration::from_millis(1)).await;
///             total.set(total.get() + *number);
///         });
///     }
/// }))?;
/// assert_eq!(total.get(), 6);
/// # Ok::<(), aio::RunError>(())
/// ```
pub async fn scope<'env, T, B>(body: B) -> T
where
    B: AsyncFnOnce(&Scope<'env>) -> T,
{
    let scope = Scope {
        spawned: RefCell::new(Vec::new()),
        waker: RefCell::new(None),
    };
    let mut children: Children<Pin<Box<dyn Future<Output = ()> + 'env>>> =
        Children::new(std::iter::empty());
    let mut body = pin!(body(&scope));
    let mut value = None;
    poll_fn(|cx| {
        if value.is_none()
            && let Poll::Ready(done) = body.as_mut().poll(cx)
        {
            value = Some(done);
        }
        scope
            .spawned
            .take()
            .into_iter()
            .for_each(|child| children.push(child));
        let mut budget = children.woken();
        while children.poll_next(cx, &mut budget).is_ready() {}
        scope.waker.replace(Some(cx.waker().clone()));
        match value.take() {
            Some(done) if children.live() == 0 => Poll::Ready(done),
            unfinished => {
                value = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

/// Spawns children of a [`scope`].
pub struct Scope<'env> {
    spawned: RefCell<Vec<Pin<Box<dyn Future<Output = ()> + 'env>>>>,
    waker: RefCell<Option<Waker>>,
}

impl<'env> Scope<'env> {
    /// Adds a child, which begins when the body waits or ends. Await what it gives for the value, or drop it: the child
    /// runs on, and the scope waits for it.
    ///
    /// A child's panic is the error of whoever awaits it, and of nobody else.
    pub fn spawn<F>(&self, future: F) -> ScopedTask<F::Output>
    where
        F: Future + 'env,
        F::Output: 'env,
    {
        let state = Rc::new(RefCell::new(State::Running(None)));
        let told = state.clone();
        self.spawned.borrow_mut().push(Box::pin(async move {
            let ended = catch(future).await;
            let before = told.replace(State::Done(ended));
            if let State::Running(Some(waker)) = before {
                waker.wake();
            }
        }));
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        ScopedTask { state }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

enum State<T> {
    Running(Option<Waker>),
    Done(Result<T, Panicked>),
    Taken,
}

/// The value of a child of a [`scope`], when it is awaited. Dropping it changes nothing.
pub struct ScopedTask<T> {
    state: Rc<RefCell<State<T>>>,
}

impl<T> ScopedTask<T> {
    /// Whether the child has ended.
    pub fn is_done(&self) -> bool {
        !matches!(*self.state.borrow(), State::Running(_))
    }
}

impl<T> Future for ScopedTask<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Running(_) => {
                *state = State::Running(Some(cx.waker().clone()));
                Poll::Pending
            }
            State::Done(Ok(value)) => Poll::Ready(Ok(value)),
            State::Done(Err(panicked)) => Poll::Ready(Err(TaskError::Panicked(panicked))),
            State::Taken => Poll::Ready(Err(TaskError::Taken)),
        }
    }
}

impl<T> fmt::Debug for ScopedTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedTask")
            .field("done", &self.is_done())
            .finish()
    }
}
