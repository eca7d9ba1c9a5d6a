//! A function applied to many items by a pool, several items to a job.

use super::Pool;
use super::job::Job;
use crate::error::{JobError, Panic};
use std::collections::VecDeque;
use std::fmt;
use std::iter::Fuse;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::vec;

type Results<R> = Vec<Result<R, JobError>>;

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
    ready: vec::IntoIter<Result<R, JobError>>,
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
            ready: Vec::new().into_iter(),
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
            let apply = move |item| {
                let outcome = catch_unwind(AssertUnwindSafe(|| function(item)));
                outcome.map_err(|payload| JobError::Panicked(Panic::new(payload)))
            };
            let job = self
                .pool
                .submit(move || chunk.into_iter().map(apply).collect());
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
            let results = job.result().unwrap_or_else(|_| {
                // The chunk did not run: each of its items is told so. Calls that panic are caught one by
                // one, so the pool was shut down.
                (0..len).map(|_| Err(JobError::Closed)).collect()
            });
            self.ready = results.into_iter();
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
