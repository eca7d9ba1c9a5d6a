//! A value that comes later, from a callback.

use std::{
    cell::RefCell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::error::Abandoned;

/// A value that is set once and awaited once: the bridge from callbacks to coroutines. Gives the side that sets and
/// the side that waits.
///
/// ```
/// aio::run(async {
///     let (setter, value) = aio::create_future();
///     aio::get_running_loop().unwrap().call_soon(move || setter.set(42)).unwrap();
///     assert_eq!(value.await, Ok(42));
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn create_future<T>() -> (Setter<T>, Awaited<T>) {
    let state = Rc::new(RefCell::new(State::Waiting(None)));
    (
        Setter {
            state: Some(state.clone()),
        },
        Awaited { state },
    )
}

enum State<T> {
    Waiting(Option<Waker>),
    Set(T),
    /// The setter is gone, or the value was taken.
    Over,
}

/// Sets the value of a future; made by [`create_future`]. Dropped unused, it tells the waiter.
#[must_use = "dropping it unused ends the wait with an error"]
pub struct Setter<T> {
    state: Option<Rc<RefCell<State<T>>>>,
}

impl<T> Setter<T> {
    /// Sets the value and wakes who awaits it. If nobody can any more, the value is dropped.
    pub fn set(mut self, value: T) {
        if let Some(state) = self.state.take() {
            settle(&state, State::Set(value));
        }
    }

    /// Whether the waiting side is gone.
    pub fn is_abandoned(&self) -> bool {
        self.state
            .as_ref()
            .is_none_or(|state| Rc::strong_count(state) == 1)
    }
}

impl<T> Drop for Setter<T> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            settle(&state, State::Over);
        }
    }
}

fn settle<T>(state: &RefCell<State<T>>, new: State<T>) {
    let before = state.replace(new);
    if let State::Waiting(Some(waker)) = before {
        waker.wake();
    }
}

/// Waits for a value; made by [`create_future`].
///
/// Its output is the value, or [`Abandoned`] when the [`Setter`] was dropped unused.
#[must_use = "nothing is waited for unless this is awaited"]
pub struct Awaited<T> {
    state: Rc<RefCell<State<T>>>,
}

impl<T> Future for Awaited<T> {
    type Output = Result<T, Abandoned>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.state.borrow_mut();
        match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(_) => {
                *state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            State::Set(value) => Poll::Ready(Ok(value)),
            State::Over => Poll::Ready(Err(Abandoned)),
        }
    }
}

impl<T> fmt::Debug for Setter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setter")
            .field("abandoned", &self.is_abandoned())
            .finish()
    }
}

impl<T> fmt::Debug for Awaited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaited").finish_non_exhaustive()
    }
}
