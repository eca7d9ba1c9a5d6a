//! A function applied to many items by a pool, results in the order of the items.

use super::Pool;
use super::chunks::MapChunks;
use super::job::Job;
use super::unordered::MapUnordered;
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
    jobs: CancelOnDrop<R>,
    buffer: usize,
}

impl<I: Iterator, F, R> Map<I, F, R> {
    pub(super) fn new(pool: Pool, function: F, items: I) -> Self {
        let buffer = 16 * pool.workers();
        Self {
            pool,
            function: Arc::new(function),
            items: items.fuse(),
            jobs: CancelOnDrop(VecDeque::new()),
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

    /// Gives the results as they are ready, whatever the order of the items.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let squares = pool.map(|n: u32| n * n, 1..=3).unordered();
    /// assert_eq!(squares.sum::<Result<u32, _>>()?, 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unordered(self) -> MapUnordered<I, F, R> {
        MapUnordered::new(self.pool, self.function, self.items, self.buffer)
    }

    /// Gives `size` items to each job: for functions that take less than a few microseconds. At most three
    /// chunks for each worker are submitted and not yet returned.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let doubled = pool.map(|n: u32| 2 * n, 0..1000).chunks(100);
    /// assert_eq!(doubled.sum::<Result<u32, _>>()?, 999_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chunks(self, size: usize) -> MapChunks<I, F, R> {
        MapChunks::new(self.pool, self.function, self.items, size)
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
        while self.jobs.0.len() < self.buffer {
            let Some(item) = self.items.next() else { break };
            let function = Arc::clone(&self.function);
            let job = self.pool.submit(move || function(item));
            self.jobs.0.push_back(job);
        }
        self.jobs.0.pop_front().map(Job::result)
    }
}

/// The submitted jobs, oldest first.
struct CancelOnDrop<R>(VecDeque<Job<R>>);

impl<R> Drop for CancelOnDrop<R> {
    fn drop(&mut self) {
        for job in &self.0 {
            job.cancel();
        }
    }
}

impl<I, F, R> fmt::Debug for Map<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("submitted", &self.jobs.0.len())
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}
