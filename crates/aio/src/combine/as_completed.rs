//! Outputs in the order in which they come.

use std::{fmt, future::poll_fn, task::Poll};

use super::children::Children;

/// Runs all `futures` concurrently and gives their outputs one by one, the first to be done first.
///
/// The futures are polled within the caller's task, as in [`gather`](crate::gather), and only while
/// [`next`](AsCompleted::next) is awaited. Dropping it drops those that are not done.
///
/// ```
/// use std::time::Duration;
///
/// aio::run(async {
///     let mut coming = aio::as_completed([3u64, 1, 2].map(async |millis| {
///         aio::sleep(Duration::from_millis(10 * millis)).await;
///         millis
///     }));
///     let mut order = Vec::new();
///     while let Some(millis) = coming.next().await {
///         order.push(millis);
///     }
///     assert_eq!(order, [1, 2, 3]);
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn as_completed<I>(futures: I) -> AsCompleted<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    AsCompleted {
        children: Children::new(futures.into_iter()),
    }
}

/// Futures whose outputs are taken as they come; made by [`as_completed`].
#[must_use = "nothing runs unless next() is awaited"]
pub struct AsCompleted<F> {
    children: Children<F>,
}

impl<F: Future> AsCompleted<F> {
    /// The next output to come; `None` when all have been given. Dropping this wait loses nothing.
    pub async fn next(&mut self) -> Option<F::Output> {
        let children = &mut self.children;
        poll_fn(|cx| {
            if children.live() == 0 {
                return Poll::Ready(None);
            }
            let mut budget = children.woken();
            children
                .poll_next(cx, &mut budget)
                .map(|(_, output)| Some(output))
        })
        .await
    }

    /// How many outputs are still to come.
    pub fn pending(&self) -> usize {
        self.children.live()
    }
}

impl<F: Future> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("pending", &self.pending())
            .finish()
    }
}
