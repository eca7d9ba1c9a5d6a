//! Jobs in the order in which they end.

use super::job::Job;
use super::task::Watcher;
use crate::error::{GetError, TimedOut};
use crate::park::deadline;
use crate::queue::SimpleQueue;
use std::fmt;
use std::time::{Duration, Instant};

/// Gives the jobs as they end, the first to end first.
///
/// A worker that asks for the next of its own pool's jobs runs a queued one of them. Dropping the iterator
/// lets the jobs run on.
///
/// # Examples
///
/// ```
/// use threads::{Pool, as_completed};
///
/// let pool = Pool::new(2)?;
/// let jobs = (1..=3).map(|n| pool.submit(move || n));
/// let mut sum = 0;
/// for job in as_completed(jobs) {
///     sum += job.result()?;
/// }
/// assert_eq!(sum, 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn as_completed<T>(jobs: impl IntoIterator<Item = Job<T>>) -> AsCompleted<T> {
    let ended = SimpleQueue::new();
    let jobs: Vec<_> = jobs.into_iter().map(Some).collect();
    for (index, job) in jobs.iter().flatten().enumerate() {
        announce(job, index, &ended);
    }
    AsCompleted {
        left: jobs.len(),
        jobs,
        ended,
    }
}

/// Puts `index` into the queue when the job ends.
pub(super) fn announce<T>(job: &Job<T>, index: usize, ended: &SimpleQueue<usize>) {
    let sink = ended.clone();
    let tell = Watcher::Callback(Box::new(move |_| sink.put(index)));
    if job.state().watch(tell).is_err() {
        ended.put(index);
    }
}

/// The iterator of [`as_completed`].
#[must_use = "jobs come only when they are asked for"]
pub struct AsCompleted<T> {
    jobs: Vec<Option<Job<T>>>,
    ended: SimpleQueue<usize>,
    left: usize,
}

impl<T> AsCompleted<T> {
    /// Waits for the next job for at most `timeout`; `None`: all were given.
    ///
    /// # Errors
    /// [`TimedOut`], if none ended in time. [`unfinished`](Self::unfinished) tells how many are left.
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Job<T>>, TimedOut> {
        self.take(deadline(timeout))
    }

    /// How many jobs were not given yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.left
    }

    fn take(&mut self, deadline: Option<Instant>) -> Result<Option<Job<T>>, TimedOut> {
        if self.left == 0 {
            return Ok(None);
        }
        let index = next_ended(&self.ended, self.jobs.iter().flatten(), deadline)?;
        self.left -= 1;
        Ok(self.jobs[index].take())
    }
}

/// Waits for an announcement; on a worker of the jobs' pool, runs one of them if none has come.
pub(super) fn next_ended<'a, T: 'a>(
    ended: &SimpleQueue<usize>,
    mut jobs: impl Iterator<Item = &'a Job<T>>,
    deadline: Option<Instant>,
) -> Result<usize, TimedOut> {
    if let Ok(index) = ended.try_get() {
        return Ok(index);
    }
    jobs.find(|job| job.run_on_own_worker());
    let index = match deadline {
        None => return Ok(ended.get()),
        Some(at) => ended.get_until(at),
    };
    index.map_err(|_: GetError| TimedOut)
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Job<T>;

    fn next(&mut self) -> Option<Job<T>> {
        // Without a deadline it cannot time out.
        self.take(None).ok().flatten()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("unfinished", &self.left)
            .finish_non_exhaustive()
    }
}
