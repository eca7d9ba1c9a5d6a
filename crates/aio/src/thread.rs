//! Blocking functions, off the loop.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::task::JoinHandle;

use crate::{
    current,
    error::{Cancelled, Panicked, TaskError},
};

/// Calls a function that blocks or computes for long on a thread of the loop's pool, while the loop goes on.
///
/// Dropping what this gives does not stop the function once it runs: a thread cannot be stopped from outside. A loop
/// that closes waits for it for at most 5 s.
///
/// # Errors
///
/// [`TaskError::Panicked`], [`TaskError::NoRunningLoop`], and [`TaskError::Cancelled`] when the loop closed before the
/// function could begin.
///
/// ```
/// let length = aio::run(aio::to_thread(|| std::fs::read("/etc/hostname").map_or(0, |text| text.len())))??;
/// # let _ = length;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn to_thread<F, T>(function: F) -> OnThread<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    OnThread {
        state: State::New(Box::new(function)),
    }
}

/// The result of a function on another thread; made by [`to_thread`].
#[must_use = "the function is called when this is awaited"]
pub struct OnThread<T> {
    state: State<T>,
}

enum State<T> {
    New(Box<dyn FnOnce() -> T + Send>),
    Running(JoinHandle<T>),
    Done,
}

impl<T: Send + 'static> Future for OnThread<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut running = match std::mem::replace(&mut self.state, State::Done) {
            // On the loop's own thread the tokio runtime is there, too.
            State::New(function) if current::engine().is_ok() => {
                tokio::task::spawn_blocking(function)
            }
            State::New(_) => return Poll::Ready(Err(TaskError::NoRunningLoop)),
            State::Running(running) => running,
            State::Done => return Poll::Ready(Err(TaskError::Taken)),
        };
        let Poll::Ready(ended) = Pin::new(&mut running).poll(cx) else {
            self.state = State::Running(running);
            return Poll::Pending;
        };
        Poll::Ready(ended.map_err(|error| match error.try_into_panic() {
            Ok(payload) => TaskError::Panicked(Panicked::new(payload)),
            Err(_) => TaskError::Cancelled(Cancelled::default()),
        }))
    }
}

impl<T> fmt::Debug for OnThread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnThread").finish_non_exhaustive()
    }
}
