//! A function applied to many items by a pool, results as they come.

use super::Pool;
use super::as_completed::{announce, next_ended};
use super::job::Job;
use crate::error::JobError;
use crate::queue::SimpleQueue;
use std::fmt;
use std::iter::Fuse;
use std::sync::Arc;

/// The results of [`Map::unordered`](super::Map::unordered), the first to be ready first.
#[must_use = "a map does nothing before it is iterated over"]
pub struct MapUnordered<I, F, R> {
    pool: Pool,
    function: Arc<F>,
    items: Fuse<I>,
    /// Submitted jobs, each in a slot whose number it announces at its end.
    jobs: Vec<Option<Job<R>>>,
    free: Vec<usize>,
    ended: SimpleQueue<usize>,
    buffer: usize,
}

impl<I: Iterator, F, R> MapUnordered<I, F, R> {
    pub(super) fn new(pool: Pool, function: Arc<F>, items: Fuse<I>, buffer: usize) -> Self {
        Self {
            pool,
            function,
            items,
            jobs: Vec::new(),
            free: Vec::new(),
            ended: SimpleQueue::new(),
            buffer,
        }
    }

    /// Sets how many items may be submitted and not yet returned, at least one.
    pub fn buffer(mut self, items: usize) -> Self {
        self.buffer = items.max(1);
        self
    }
}

impl<I, F, R> Iterator for MapUnordered<I, F, R>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    type Item = Result<R, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.jobs.len() - self.free.len() < self.buffer {
            let Some(item) = self.items.next() else { break };
            let function = Arc::clone(&self.function);
            let job = self.pool.submit(move || function(item));
            let slot = self.free.pop().unwrap_or(self.jobs.len());
            announce(&job, slot, &self.ended);
            if slot == self.jobs.len() {
                self.jobs.push(Some(job));
            } else {
                self.jobs[slot] = Some(job);
            }
        }
        if self.jobs.len() == self.free.len() {
            return None;
        }
        // Without a deadline it cannot time out.
        let slot = next_ended(&self.ended, self.jobs.iter().flatten(), None).ok()?;
        self.free.push(slot);
        self.jobs[slot].take().map(Job::result)
    }
}

impl<I, F, R> Drop for MapUnordered<I, F, R> {
    fn drop(&mut self) {
        for job in self.jobs.iter().flatten() {
            job.cancel();
        }
    }
}

impl<I, F, R> fmt::Debug for MapUnordered<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapUnordered")
            .field("submitted", &(self.jobs.len() - self.free.len()))
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}
