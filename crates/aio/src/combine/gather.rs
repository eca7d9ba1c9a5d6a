//! Several futures at once, their results in the order in which they were given.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::children::Children;

/// Runs all `futures` concurrently and gives their values in the order of the arguments.
///
/// The first error ends the wait: the siblings are dropped, hence cancelled, before this returns, so that none is left
/// running unseen ([`Task`](crate::Task)s given by value are cancelled). To have all results, errors among them, use
/// [`gather_settled`]. An empty list gives an empty vector. Dropping the gather drops all of them.
///
/// The futures are polled in place, within the caller's task, so they may borrow from it. Waking one costs the same
/// however many there are. For a step of its own on the loop, give each a [`create_task`](crate::create_task).
///
/// ```
/// use std::time::Duration;
///
/// let words = ["later", "sooner"];
/// let lengths = aio::run(aio::gather(words.iter().map(async |word: &&str| {
///     aio::sleep(Duration::from_millis(word.len() as u64)).await;
///     Ok::<usize, std::io::Error>(word.len())
/// })))??;
/// assert_eq!(lengths, [5, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gather<I, F, T, E>(futures: I) -> Gather<F, T>
where
    I: IntoIterator<Item = F>,
    F: Future<Output = Result<T, E>>,
{
    let children = Children::new(futures.into_iter());
    let values = std::iter::repeat_with(|| None)
        .take(children.live())
        .collect();
    Gather { children, values }
}

/// Futures that succeed together or fail with the first; made by [`gather`].
#[must_use = "nothing runs unless this is awaited"]
pub struct Gather<F, T> {
    children: Children<F>,
    values: Vec<Option<T>>,
}

// The children are pinned in boxes of their own, and the values are never pinned.
impl<F, T> Unpin for Gather<F, T> {}

impl<F, T, E> Future for Gather<F, T>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut budget = self.children.woken();
        while self.children.live() > 0 {
            match self.children.poll_next(cx, &mut budget) {
                Poll::Ready((number, Ok(value))) => self.values[number] = Some(value),
                Poll::Ready((_, Err(error))) => {
                    self.children.clear();
                    self.values.clear();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(std::mem::take(&mut self.values)
            .into_iter()
            .flatten()
            .collect()))
    }
}

impl<F, T> fmt::Debug for Gather<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("len", &self.values.len())
            .finish_non_exhaustive()
    }
}

/// Runs all `futures` concurrently and gives all their outputs, whatever they are, in the order of the arguments.
///
/// As [`gather`], but an error among the outputs ends nothing.
///
/// ```
/// let outputs = aio::run(aio::gather_settled(["1", "one"].map(async |text| text.parse::<i32>())))?;
/// assert_eq!(outputs[0], Ok(1));
/// assert!(outputs[1].is_err());
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn gather_settled<I>(futures: I) -> GatherSettled<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let children = Children::new(futures.into_iter());
    let outputs = std::iter::repeat_with(|| None)
        .take(children.live())
        .collect();
    GatherSettled { children, outputs }
}

/// Futures that are all waited for; made by [`gather_settled`].
#[must_use = "nothing runs unless this is awaited"]
pub struct GatherSettled<F: Future> {
    children: Children<F>,
    outputs: Vec<Option<F::Output>>,
}

// As for `Gather`.
impl<F: Future> Unpin for GatherSettled<F> {}

impl<F: Future> Future for GatherSettled<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut budget = self.children.woken();
        while self.children.live() > 0 {
            match self.children.poll_next(cx, &mut budget) {
                Poll::Ready((number, output)) => self.outputs[number] = Some(output),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(
            std::mem::take(&mut self.outputs)
                .into_iter()
                .flatten()
                .collect(),
        )
    }
}

impl<F: Future> fmt::Debug for GatherSettled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatherSettled")
            .field("len", &self.outputs.len())
            .finish_non_exhaustive()
    }
}
