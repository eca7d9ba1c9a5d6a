//! The results of a map in the order of the items.

use super::MAX_SIZE;
use super::chunks::MapChunks;
use super::input::{Input, Submitted, at_once};
use super::unordered::MapUnordered;
use crate::error::{JobError, TimedOut};
use crate::park::deadline;
use crate::pool::Pool;
use crate::pool::job::Job;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

/// The results of [`Pool::map`], an iterator in the order of the input.
///
/// The input is read lazily: at most [`window`](Self::window) items are submitted and not yet returned.
/// Nothing is submitted before the first `next`. If the input panics, the panic continues in the caller of
/// `next`, and the items before it are returned by later calls. Dropping the iterator cancels what has not started.
#[must_use = "a map does nothing before it is iterated over"]
pub struct Map<I: Iterator, F, R> {
    input: Input<I, F>,
    jobs: CancelOnDrop<R>,
    window: usize,
}

impl<I: Iterator, F, R> Map<I, F, R> {
    pub(in crate::pool) fn new(pool: Pool, function: F, items: I) -> Self {
        let window = 16 * pool.max_workers();
        Self {
            input: Input::new(pool, function, items),
            jobs: CancelOnDrop(VecDeque::new()),
            window,
        }
    }

    /// Sets how many items may be submitted and not yet returned. Default: 16 for each worker.
    ///
    /// 0 counts as 1, and more than 65,536 as that.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// // The input has no end; two items ahead of the consumer are read.
    /// let mut squares = pool.map(|n: u64| n * n, 1..).window(2);
    /// assert_eq!(squares.next().expect("endless")?, 1);
    /// assert_eq!(squares.next().expect("endless")?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "buffersize")]
    #[doc(alias = "buffered")]
    pub fn window(mut self, items: usize) -> Self {
        self.window = items.clamp(1, MAX_SIZE);
        self
    }

    /// Returns the results as they are ready, whatever the order of the items.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let squares = pool.map(|n: u32| n * n, 1..=3).unordered();
    /// assert_eq!(squares.sum::<Result<u32, _>>()?, 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "imap_unordered")]
    #[doc(alias = "buffer_unordered")]
    pub fn unordered(self) -> MapUnordered<I, F, R> {
        MapUnordered::new(self.input, self.window)
    }

    /// Submits `size` items with each job, for functions that take less than a few microseconds.
    ///
    /// At most three chunks for each worker are submitted and not yet returned. A size of 0 counts as 1, and one
    /// of more than 65,536 as that.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = threads::Pool::new(2)?;
    /// let doubled = pool.map(|n: u32| 2 * n, 0..1000).chunks(100);
    /// assert_eq!(doubled.sum::<Result<u32, _>>()?, 999_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "chunksize")]
    pub fn chunks(self, size: usize) -> MapChunks<I, F, R> {
        MapChunks::new(self.input, size)
    }
}

impl<I, F, R> Map<I, F, R>
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
    /// [`TimedOut`], if it was not ready in time. It is not lost: a later call returns it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{Pool, TimedOut};
    ///
    /// let pool = Pool::new(1)?;
    /// let (started, gate) = (threads::Queue::bounded(1), threads::Queue::<u8>::bounded(1));
    /// let opened = gate.clone();
    /// let mut results = pool.map(move |()| opened.get(), [()]);
    /// # started.put(())?;
    /// assert!(matches!(results.next_for(Duration::from_millis(1)), Err(TimedOut)));
    /// gate.put(7)?;
    /// assert_eq!(results.next().expect("one item")?, Ok(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Result<R, JobError>>, TimedOut> {
        self.advance(deadline(timeout))
    }

    /// Waits for the next result until `deadline`; `None`: all were returned.
    ///
    /// # Errors
    /// As [`next_for`](Self::next_for).
    pub fn next_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Result<R, JobError>>, TimedOut> {
        self.advance(Some(deadline))
    }

    fn advance(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<Result<R, JobError>>, TimedOut> {
        self.fill(deadline)?;
        let Some(first) = self.jobs.0.front() else {
            return Ok(None);
        };
        if !first.is_done() {
            first.wait(deadline);
        }
        if !first.is_done() {
            return Err(TimedOut);
        }
        Ok(self.jobs.0.pop_front().map(Job::result))
    }

    /// Submits as many items as the window and the pool's queue have room for; waits for room for the first only.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        while self.jobs.0.len() < self.window {
            let alone = self.jobs.0.is_empty();
            let limit = || if alone { deadline } else { at_once() };
            match self.input.submit(limit) {
                Submitted::Job(job) => self.jobs.0.push_back(job),
                Submitted::NoRoom if alone => return Err(TimedOut),
                Submitted::NoRoom | Submitted::End => break,
            }
        }
        Ok(())
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
        // Without a deadline it cannot time out.
        self.advance(None).ok().flatten()
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

/// The state of the iterator is right after a panic of user code.
impl<I: Iterator, F, R> UnwindSafe for Map<I, F, R> {}
impl<I: Iterator, F, R> RefUnwindSafe for Map<I, F, R> {}

impl<I: Iterator, F, R> fmt::Debug for Map<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("submitted", &self.jobs.0.len())
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}
