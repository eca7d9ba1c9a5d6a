//! A function applied to many items by a pool, several items to a job.

use super::Pool;
use super::job::Job;
use crate::error::{JobError, Panic};
use std::collections::VecDeque;
use std::fmt;
use std::iter::{Fuse, Peekable};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::vec;

/// What one job gives: the values, and apart from them the rare panics, each with how many values came before
/// it. So a chunk takes no more room than its values.
struct Results<R> {
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

    /// Applies `function` to each item. What panics is left out, and the next item follows.
    fn of<T>(items: Vec<T>, function: impl Fn(T) -> R) -> Self {
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
}

impl<R> Ready<R> {
    fn new(results: Results<R>, refused: usize) -> Self {
        Self {
            values: results.values.into_iter(),
            panics: results.panics.into_iter().peekable(),
            given: 0,
            refused,
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
        Some(Err(JobError::Closed))
    }
}

/// The results of [`Map::chunks`](super::Map::chunks), an iterator in the order of the input.
///
/// A panic fails only the item whose call panicked.
#[must_use = "a map does nothing before it is iterated over"]
pub struct MapChunks<I, F, R> {
    pool: Pool,
    function: Arc<F>,
    items: Fuse<I>,
    size: usize,
    jobs: VecDeque<(usize, Job<Results<R>>)>,
    ready: Ready<R>,
}

/// Chunks in flight for each worker: one at work, two to follow.
const CHUNKS_PER_WORKER: usize = 3;

impl<I: Iterator, F, R> MapChunks<I, F, R> {
    pub(super) fn new(pool: Pool, function: Arc<F>, items: Fuse<I>, size: usize) -> Self {
        Self {
            pool,
            function,
            items,
            size: size.max(1),
            jobs: VecDeque::new(),
            ready: Ready::new(Results::none(), 0),
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
    fn submit(&mut self) {
        while self.jobs.len() < CHUNKS_PER_WORKER * self.pool.workers() {
            let chunk: Vec<_> = self.items.by_ref().take(self.size).collect();
            if chunk.is_empty() {
                break;
            }
            let function = Arc::clone(&self.function);
            let len = chunk.len();
            let job = self.pool.submit(move || Results::of(chunk, &*function));
            self.jobs.push_back((len, job));
        }
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

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(result) = self.ready.next() {
                return Some(result);
            }
            self.submit();
            let (len, job) = self.jobs.pop_front()?;
            // A chunk that did not run tells so for each of its items. Calls that panic are caught one by one,
            // so the pool was shut down.
            self.ready = match job.result() {
                Ok(results) => Ready::new(results, 0),
                Err(_) => Ready::new(Results::none(), len),
            };
        }
    }
}

impl<I, F, R> Drop for MapChunks<I, F, R> {
    fn drop(&mut self) {
        for (_, job) in &self.jobs {
            job.cancel();
        }
    }
}

impl<I, F, R> fmt::Debug for MapChunks<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapChunks")
            .field("size", &self.size)
            .field("submitted", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
