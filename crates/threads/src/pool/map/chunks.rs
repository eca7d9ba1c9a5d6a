//! The results of a map with several items to a job.

use super::MAX_SIZE;
use super::input::{Input, at_once};
use crate::error::{JobError, Panic, TimedOut};
use crate::park::deadline;
use crate::pool::job::Job;
use std::collections::VecDeque;
use std::fmt;
use std::iter::Peekable;
use std::mem;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec;

/// What one job gives: the values, and apart from them the rare panics, each with how many values came before
/// it. So a chunk takes no more room than its values.
pub(super) struct Results<R> {
    values: Vec<R>,
    panics: Vec<(usize, Panic)>,
}

impl<R> Results<R> {
    fn none() -> Self {
        Self {
            values: Vec::new(),
            panics: Vec::new(),
        }
    }

    /// The values, or the first panic.
    pub(super) fn into_values(self) -> Result<Vec<R>, JobError> {
        match self.panics.into_iter().next() {
            None => Ok(self.values),
            Some((_, panic)) => Err(JobError::Panicked(panic)),
        }
    }

    /// Applies `function` to each item. What panics is left out, and the next item follows.
    pub(super) fn of<T>(items: Vec<T>, function: impl Fn(T) -> R) -> Self {
        let mut values = Vec::with_capacity(items.len());
        let mut panics = Vec::new();
        let mut items = items.into_iter();
        // An item that panics has left the iterator, and its value never came.
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| {
            values.extend(items.by_ref().map(&function));
        })) {
            panics.push((values.len(), Panic::new(payload)));
        }
        Self { values, panics }
    }
}

/// Results on their way out, in the order of the items.
struct Ready<R> {
    values: vec::IntoIter<R>,
    panics: Peekable<vec::IntoIter<(usize, Panic)>>,
    /// Values given.
    given: usize,
    /// Items at the end of the chunk that did not run.
    refused: usize,
    /// Why they did not.
    refusal: fn() -> JobError,
}

impl<R> Ready<R> {
    fn new(results: Results<R>) -> Self {
        Self {
            values: results.values.into_iter(),
            panics: results.panics.into_iter().peekable(),
            given: 0,
            refused: 0,
            refusal: || JobError::Closed,
        }
    }

    /// The results of a chunk that did not run: its error for each of its items.
    fn refused(len: usize, error: &JobError) -> Self {
        Self {
            refused: len,
            refusal: match error {
                JobError::Cancelled => || JobError::Cancelled,
                // Calls that panic are caught one by one, so the pool was shut down.
                _ => || JobError::Closed,
            },
            ..Self::new(Results::none())
        }
    }

    fn next(&mut self) -> Option<Result<R, JobError>> {
        let given = self.given;
        if let Some((_, panic)) = self.panics.next_if(|(before, _)| *before == given) {
            return Some(Err(JobError::Panicked(panic)));
        }
        if let Some(value) = self.values.next() {
            self.given += 1;
            return Some(Ok(value));
        }
        self.refused = self.refused.checked_sub(1)?;
        Some(Err((self.refusal)()))
    }
}

/// The results of [`Map::chunks`](super::Map::chunks), an iterator in the order of the input.
///
/// A panic fails only the item whose call panicked. If the input panics, the panic continues in the caller of
/// `next`; the items before it are returned by later calls. Dropping the iterator cancels what has not started.
#[must_use = "a map does nothing before it is iterated over"]
pub struct MapChunks<I: Iterator, F, R> {
    input: Input<I, F>,
    size: usize,
    /// Items that were read, and not submitted yet.
    chunk: Vec<I::Item>,
    jobs: VecDeque<(usize, Job<Results<R>>)>,
    ready: Ready<R>,
}

/// Chunks in flight for each worker: one at work, two to follow.
const CHUNKS_PER_WORKER: usize = 3;

/// Items that a new chunk has room for, at most: it grows to what the input gives.
const FIRST_ROOM: usize = 1024;

impl<I: Iterator, F, R> MapChunks<I, F, R> {
    pub(super) fn new(input: Input<I, F>, size: usize) -> Self {
        Self {
            input,
            size: size.clamp(1, MAX_SIZE),
            chunk: Vec::new(),
            jobs: VecDeque::new(),
            ready: Ready::new(Results::none()),
        }
    }

    /// Reads items until the chunk is full or the input has ended. Nothing is lost if the input panics.
    fn read_chunk(&mut self) {
        if self.chunk.capacity() == 0 {
            let expected = self.input.items.size_hint().0.max(1);
            self.chunk.reserve(expected.min(self.size).min(FIRST_ROOM));
        }
        let missing = self.size - self.chunk.len();
        for item in self.input.items.by_ref().take(missing) {
            self.chunk.push(item);
        }
    }
}

impl<I, F, R> MapChunks<I, F, R>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    /// Waits for the next result for at most `timeout`; `None`: all were returned.
    ///
    /// The time limit does not cut off the input's own `next`.
    ///
    /// # Errors
    /// [`TimedOut`], if its chunk was not ready in time. It is not lost: a later call returns it.
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Result<R, JobError>>, TimedOut> {
        self.advance(|| deadline(timeout))
    }

    /// Waits for the next result until `deadline`; `None`: all were returned.
    ///
    /// # Errors
    /// As [`next_for`](Self::next_for).
    pub fn next_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Result<R, JobError>>, TimedOut> {
        self.advance(|| Some(deadline))
    }

    #[inline]
    fn advance(
        &mut self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<Option<Result<R, JobError>>, TimedOut> {
        match self.ready.next() {
            Some(result) => Ok(Some(result)),
            None => self.next_chunk(deadline()),
        }
    }

    fn next_chunk(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<Result<R, JobError>>, TimedOut> {
        self.fill(deadline)?;
        let Some((_, first)) = self.jobs.front() else {
            return Ok(None);
        };
        if !first.is_done() {
            first.wait(deadline);
        }
        if !first.is_done() {
            return Err(TimedOut);
        }
        if let Some((len, job)) = self.jobs.pop_front() {
            self.ready = match job.result() {
                Ok(results) => Ready::new(results),
                Err(error) => Ready::refused(len, &error),
            };
        }
        Ok(self.ready.next())
    }

    /// Submits chunks while the pool's queue has room; waits for room for the first only.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        while self.jobs.len() < CHUNKS_PER_WORKER * self.input.pool.max_workers() {
            self.read_chunk();
            if self.chunk.is_empty() {
                break;
            }
            let alone = self.jobs.is_empty();
            let limit = || if alone { deadline } else { at_once() };
            let Ok(room) = self.input.pool.reserve(limit) else {
                return if alone { Err(TimedOut) } else { Ok(()) };
            };
            let function = Arc::clone(&self.input.function);
            let chunk = mem::take(&mut self.chunk);
            let len = chunk.len();
            let job = move || Results::of(chunk, &*function);
            self.jobs.push_back((len, self.input.pool.push(job, room)));
        }
        Ok(())
    }
}

impl<I, F, R> Iterator for MapChunks<I, F, R>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    type Item = Result<R, JobError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Without a deadline it cannot time out.
        self.advance(|| None).ok().flatten()
    }
}

impl<I: Iterator, F, R> Drop for MapChunks<I, F, R> {
    fn drop(&mut self) {
        for (_, job) in &self.jobs {
            job.cancel();
        }
    }
}

/// The state of the iterator is right after a panic of user code.
impl<I: Iterator, F, R> UnwindSafe for MapChunks<I, F, R> {}
impl<I: Iterator, F, R> RefUnwindSafe for MapChunks<I, F, R> {}

impl<I: Iterator, F, R> fmt::Debug for MapChunks<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapChunks")
            .field("size", &self.size)
            .field("submitted", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
