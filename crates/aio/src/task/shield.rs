//! Waiting for a task without taking it along.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::Task;
use crate::error::TaskError;

/// Waits for `task`, but lets it go on when the wait is dropped: a timeout or a cancellation of the waiter does not
/// reach it. If it panics then, the loop's exception handler hears of it.
///
/// To have its result after a timeout, wait for `&mut task` instead.
///
/// ```
/// use std::time::Duration;
///
/// aio::run(async {
///     let task = aio::create_task(aio::sleep(Duration::from_millis(20)));
///     let watched = task.reference().unwrap();
///     assert!(aio::wait_for(aio::shield(task), Duration::from_millis(1)).await.is_err());
///     aio::sleep(Duration::from_millis(2)).await;
///     assert!(!watched.is_done(), "it is still asleep, not cancelled");
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn shield<T>(task: Task<T>) -> Shield<T> {
    Shield { task: Some(task) }
}

/// A wait that leaves its task alone; made by [`shield`].
#[derive(Debug)]
#[must_use = "nothing is waited for unless this is awaited"]
pub struct Shield<T> {
    task: Option<Task<T>>,
}

impl<T: 'static> Future for Shield<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.task {
            Some(task) => Pin::new(task).poll(cx),
            None => Poll::Ready(Err(TaskError::Taken)),
        }
    }
}

impl<T> Drop for Shield<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.release();
        }
    }
}
