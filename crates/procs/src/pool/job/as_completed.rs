//! An iterator over several jobs, in the order in which they end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::TimedOut;

use crate::pool::job::{CompletionQueue, Job};

/// Returns jobs in the order in which they end.
///
/// The iterator waits for the next job that ends. Each job that it returns has ended. Jobs of different pools may be mixed.
///
/// ```
/// use std::time::Duration;
///
/// #[procs::task]
/// fn sleep(millis: u64) -> u64 {
///     std::thread::sleep(Duration::from_millis(millis));
///     millis
/// }
///
/// #[procs::main]
/// fn main() {
///     let pool = procs::Pool::new(2).unwrap();
///     let jobs = [pool.submit(sleep, 300), pool.submit(sleep, 1)];
///     let results = procs::as_completed(jobs).map(|job| job.result().unwrap());
///     assert_eq!(results.collect::<Vec<_>>(), [1, 300]);
/// }
/// ```
pub fn as_completed<R>(jobs: impl IntoIterator<Item = Job<R>>) -> AsCompleted<R> {
    let queue = Arc::default();
    let jobs: Vec<_> = jobs.into_iter().map(Some).collect();
    for (index, job) in jobs.iter().flatten().enumerate() {
        job.notify_queue(&queue, index);
    }
    AsCompleted {
        left: jobs.len(),
        jobs,
        queue,
    }
}

/// Iterator of [`as_completed`]. Dropping it discards the results of the jobs that it has not returned.
#[must_use = "iterators are lazy"]
pub struct AsCompleted<R> {
    jobs: Vec<Option<Job<R>>>,
    left: usize,
    queue: Arc<CompletionQueue>,
}

impl<R> AsCompleted<R> {
    /// Returns the next job that ends, if one does within `time`; `None` when all have been returned.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if none has ended. A later call waits for them again.
    pub fn next_for(&mut self, time: Duration) -> Result<Option<Job<R>>, TimedOut> {
        if self.left == 0 {
            return Ok(None);
        }
        let deadline = Instant::now().checked_add(time);
        let index = self.queue.next(deadline).ok_or(TimedOut)?;
        Ok(self.take(index))
    }

    fn take(&mut self, index: usize) -> Option<Job<R>> {
        self.left -= 1;
        self.jobs[index].take()
    }
}

impl<R> Iterator for AsCompleted<R> {
    type Item = Job<R>;

    fn next(&mut self) -> Option<Self::Item> {
        // Every job ends once, so with none left the queue stays empty.
        let index = if self.left == 0 {
            None
        } else {
            self.queue.next(None)
        };
        index.and_then(|index| self.take(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<R> ExactSizeIterator for AsCompleted<R> {}

impl<R> fmt::Debug for AsCompleted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
