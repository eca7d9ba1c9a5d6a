//! Waiting for some of several tasks.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

use super::{children::Children, wait_for::wait_for};
use crate::task::{Ended, Task};

/// When [`wait`] ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When one task is done.
    First,
    /// When one task has panicked or was cancelled, or all are done.
    FirstFailure,
    /// When all tasks are done.
    All,
}

/// Waits for `tasks`, for at most `patience` if one is given, and gives those that are done and those that are not, each
/// in the order given. Cancels nothing, not even when it is dropped itself.
///
/// A task that returned an `Err` of its own is done, and did not fail in the sense of [`Until::FirstFailure`].
///
/// ```
/// use std::{future::pending, time::Duration};
///
/// aio::run(async {
///     let tasks = vec![aio::create_task(pending::<()>()), aio::create_task(async {})];
///     let (done, pending) = aio::wait(tasks, aio::Until::First, None).await;
///     assert_eq!((done.len(), pending.len()), (1, 1));
///     let (done, pending) = aio::wait(pending, aio::Until::All, Some(Duration::from_millis(1))).await;
///     assert_eq!((done.len(), pending.len()), (0, 1));
///     pending[0].abort();
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub async fn wait<T: 'static>(
    tasks: Vec<Task<T>>,
    until: Until,
    patience: Option<Duration>,
) -> (Vec<Task<T>>, Vec<Task<T>>) {
    let ends = Children::new(tasks.iter().map(Task::ended));
    let reached = reached(ends, until);
    match patience {
        // A timeout only means that fewer are done.
        Some(patience) => drop(wait_for(reached, patience).await),
        None => reached.await,
    }
    tasks.into_iter().partition(Task::is_done)
}

async fn reached(mut ends: Children<Ended>, until: Until) {
    poll_fn(|cx| poll_reached(&mut ends, until, cx)).await;
}

fn poll_reached(ends: &mut Children<Ended>, until: Until, cx: &mut Context<'_>) -> Poll<()> {
    let mut budget = ends.woken();
    while ends.live() > 0 {
        match ends.poll_next(cx, &mut budget) {
            Poll::Ready(_) if until == Until::First => return Poll::Ready(()),
            Poll::Ready((_, true)) if until == Until::FirstFailure => return Poll::Ready(()),
            Poll::Ready(_) => {}
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Ready(())
}
