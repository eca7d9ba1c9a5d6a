//! Several jobs at once: in the order of their ends, or until enough have ended.

use super::completion::CompletionQueue;
use super::core;
use super::job::Job;
use super::task::JobEnd;
use crate::error::TimedOut;
use crate::park::deadline;
use std::fmt;
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Returns the jobs as they end, the first to end first.
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
    let ended = Arc::new(CompletionQueue::new());
    let jobs: Vec<_> = jobs.into_iter().map(Some).collect();
    for (index, job) in jobs.iter().flatten().enumerate() {
        job.notify_group(&ended, index);
    }
    AsCompleted {
        left: jobs.len(),
        jobs,
        ended,
        own_jobs: OwnJobs::default(),
    }
}

/// The iterator of [`as_completed`].
#[must_use = "jobs come only when they are asked for"]
pub struct AsCompleted<T> {
    jobs: Vec<Option<Job<T>>>,
    ended: Arc<CompletionQueue>,
    own_jobs: OwnJobs,
    left: usize,
}

impl<T> AsCompleted<T> {
    /// Waits for the next job for at most `timeout`; `None`: all were returned.
    ///
    /// # Errors
    /// [`TimedOut`], if none ended in time. [`unfinished`](Self::unfinished) returns how many are left.
    pub fn next_for(&mut self, timeout: Duration) -> Result<Option<Job<T>>, TimedOut> {
        self.take(deadline(timeout))
    }

    /// Waits for the next job until `deadline`; `None`: all were returned.
    ///
    /// # Errors
    /// As [`next_for`](Self::next_for).
    pub fn next_until(&mut self, deadline: Instant) -> Result<Option<Job<T>>, TimedOut> {
        self.take(Some(deadline))
    }

    /// How many jobs were not returned yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.left
    }

    fn take(&mut self, deadline: Option<Instant>) -> Result<Option<Job<T>>, TimedOut> {
        if self.left == 0 {
            return Ok(None);
        }
        let index = match self.ended.try_next() {
            Some(index) => index,
            None => {
                let jobs = &self.jobs;
                self.own_jobs
                    .run_next(|index| Some(jobs.get(index)?.as_ref()));
                self.ended.next(deadline).ok_or(TimedOut)?
            }
        };
        self.left -= 1;
        Ok(self.jobs[index].take())
    }
}

/// How far the calling worker has looked for queued jobs of its own pool.
///
/// A job that was claimed once is never queued again, so each is looked at once, however often a wait looks for
/// the next. A wait that goes on in a worker of another pool begins anew.
#[derive(Default)]
struct OwnJobs {
    pool: Option<usize>,
    next: usize,
}

impl OwnJobs {
    /// Runs the next queued one of the jobs, which `job` returns by their index, if the calling thread is a worker of
    /// its pool. `job` returns `None` behind the last, and `Some(None)` for a job that has ended.
    fn run_next<'a, T: 'a>(&mut self, job: impl Fn(usize) -> Option<Option<&'a Job<T>>>) {
        let Some(pool) = core::current_pool() else {
            return;
        };
        if self.pool.replace(pool) != Some(pool) {
            self.next = 0;
        }
        while let Some(job) = job(self.next) {
            self.next += 1;
            if job.is_some_and(Job::run_on_own_worker) {
                return;
            }
        }
    }
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
impl<T> FusedIterator for AsCompleted<T> {}

/// The state of the iterator is right after a panic of user code.
impl<T> UnwindSafe for AsCompleted<T> {}
impl<T> RefUnwindSafe for AsCompleted<T> {}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("unfinished", &self.left)
            .finish_non_exhaustive()
    }
}

/// What ends a wait for several jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitFor {
    /// The first job that ends.
    First,
    /// The first job that ends without a value, or the end of all.
    FirstError,
    /// The end of all.
    All,
}

/// Waits for jobs, without taking their results: ask each with `is_done` and `try_result` afterwards.
///
/// A worker that waits for jobs of its own pool runs those of them that are still queued.
///
/// # Examples
///
/// ```
/// use threads::{Job, Pool, WaitFor, wait};
///
/// let pool = Pool::new(2)?;
/// let jobs: Vec<_> = (0..10).map(|n| pool.submit(move || n)).collect();
/// wait(&jobs, WaitFor::First);
/// assert!(jobs.iter().any(Job::is_done));
/// wait(&jobs, WaitFor::All);
/// assert!(jobs.iter().all(Job::is_done));
/// # Ok::<(), threads::SpawnError>(())
/// ```
pub fn wait<T>(jobs: &[Job<T>], until: WaitFor) {
    // Without a deadline it cannot time out.
    let _ = wait_by(jobs, until, None);
}

/// Waits for jobs as [`wait`], for at most `timeout`.
///
/// # Errors
/// [`TimedOut`], if too few jobs ended in time.
pub fn wait_for<T>(jobs: &[Job<T>], until: WaitFor, timeout: Duration) -> Result<(), TimedOut> {
    wait_by(jobs, until, deadline(timeout))
}

/// Waits for jobs as [`wait`], until `deadline`.
///
/// # Errors
/// As [`wait_for`].
pub fn wait_until<T>(jobs: &[Job<T>], until: WaitFor, deadline: Instant) -> Result<(), TimedOut> {
    wait_by(jobs, until, Some(deadline))
}

fn wait_by<T>(jobs: &[Job<T>], until: WaitFor, deadline: Option<Instant>) -> Result<(), TimedOut> {
    let is_enough = |job: &Job<T>| match until {
        WaitFor::First => true,
        WaitFor::FirstError => job.state().end() != JobEnd::Finished,
        WaitFor::All => false,
    };
    let (done, pending): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.is_done());
    if done.into_iter().any(is_enough) {
        return Ok(());
    }
    let group = Group::of(&pending);
    let mut own_jobs = OwnJobs::default();
    for _ in &pending {
        let index = match group.ended.try_next() {
            Some(index) => index,
            None => {
                own_jobs.run_next(|index| Some(Some(*pending.get(index)?)));
                group.ended.next(deadline).ok_or(TimedOut)?
            }
        };
        if is_enough(pending[index]) {
            break;
        }
    }
    Ok(())
}

/// Jobs that notify one queue of their ends, until the wait is over.
struct Group<'a, T> {
    jobs: &'a [&'a Job<T>],
    ended: Arc<CompletionQueue>,
}

impl<'a, T> Group<'a, T> {
    fn of(jobs: &'a [&'a Job<T>]) -> Self {
        let ended = Arc::new(CompletionQueue::new());
        for (index, job) in jobs.iter().enumerate() {
            job.notify_group(&ended, index);
        }
        Self { jobs, ended }
    }
}

impl<T> Drop for Group<'_, T> {
    /// A job that is waited for again and again, with a time limit, keeps nothing of the former waits.
    fn drop(&mut self) {
        for job in self.jobs {
            if !job.is_done() {
                job.state().unwatch_group(&self.ended);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::pool::visits;
    use crate::{Job, Pool, WaitFor, as_completed, wait};

    fn jobs(pool: &Pool, n: usize) -> Vec<Job<usize>> {
        (0..n).map(|n| pool.submit(move || n)).collect()
    }

    /// Ways to wait for all of `n` jobs, one result at a time.
    const WAYS: [fn(&Pool, usize); 4] = [
        |pool, n| assert_eq!(as_completed(jobs(pool, n)).count(), n),
        |pool, n| wait(&jobs(pool, n), WaitFor::All),
        |pool, n| {
            let results = pool.map(|n| n, 0..n).window(n).unordered();
            assert_eq!(results.map(Result::unwrap).count(), n);
        },
        |pool, n| {
            let results = pool.map(|n| n, 0..n).window(n);
            assert_eq!(results.map(Result::unwrap).count(), n);
        },
    ];

    fn visits(way: fn(&Pool, usize), pool: &Pool, n: usize) -> usize {
        visits::during(|| way(pool, n))
    }

    #[test]
    fn a_wait_in_another_thread_looks_at_each_job_at_most_twice() {
        let pool = Pool::new(1).unwrap();
        for way in WAYS {
            for n in [500, 2000] {
                assert!(visits(way, &pool, n) <= 2 * n);
            }
        }
    }

    #[test]
    fn a_wait_in_a_worker_looks_at_each_job_at_most_twice() {
        for way in WAYS {
            let pool = Pool::new(2).unwrap();
            let inner = pool.clone();
            let counted = pool.submit(move || [500, 2000].map(|n| (n, visits(way, &inner, n))));
            for (n, visits) in counted.result().unwrap() {
                assert!(visits <= 2 * n, "{visits} visits of {n} jobs");
            }
        }
    }
}
