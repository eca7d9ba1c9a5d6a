//! A function applied to many items by a pool, results in the order of the items.

use super::Pool;
use super::job::Job;
use crate::error::JobError;
use std::collections::VecDeque;
use std::fmt;
use std::iter::Fuse;
use std::sync::Arc;

/// The results of [`Pool::map`], an iterator in the order of the input.
///
/// The input is read lazily: at most [`buffer`](Self::buffer) items are submitted and not yet returned.
/// Nothing is submitted before the first `next`. Dropping the iterator cancels what has not started.
#[must_use = "a map does nothing before it is iterated over"]
pub struct Map<I, F, R> {
    pool: Pool,
    function: Arc<F>,
    items: Fuse<I>,
    jobs: VecDeque<Job<R>>,
    buffer: usize,
}

impl<I: Iterator, F, R> Map<I, F, R> {
    pub(super) fn new(pool: Pool, function: F, items: I) -> Self {
        let buffer = 16 * pool.workers();
        Self {
            pool,
            function: Arc::new(function),
            items: items.fuse(),
            jobs: VecDeque::new(),
            buffer,
        }
    }

    /// Sets how many items may be submitted and not yet returned; 16 for each worker by default. At
    /// least one always is.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// // The input has no end; two items ahead of the consumer are read.
    /// let mut squares = pool.map(|n: u64| n * n, 1..).buffer(2);
    /// assert_eq!(squares.next().expect("endless")?, 1);
    /// assert_eq!(squares.next().expect("endless")?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn buffer(mut self, items: usize) -> Self {
        self.buffer = items.max(1);
        self
    }
}

impl<I, F, R> Iterator for Map<I, F, R>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    type Item = Result<R, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.jobs.len() < self.buffer {
            let Some(item) = self.items.next() else { break };
            let function = Arc::clone(&self.function);
            self.jobs
                .push_back(self.pool.submit(move || function(item)));
        }
        self.jobs.pop_front().map(Job::result)
    }
}

impl<I, F, R> Drop for Map<I, F, R> {
    fn drop(&mut self) {
        for job in &self.jobs {
            job.cancel();
        }
    }
}

impl<I, F, R> fmt::Debug for Map<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("submitted", &self.jobs.len())
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}
