//! Waiting for several jobs.

use super::as_completed::{announce, next_ended};
use super::job::Job;
use super::task::JobEnd;
use crate::error::TimedOut;
use crate::park::deadline;
use crate::queue::SimpleQueue;
use std::time::{Duration, Instant};

/// What ends a wait for several jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    let _ = wait_until(jobs, until, None);
}

/// Waits for jobs as [`wait`], for at most `timeout`.
///
/// # Errors
/// [`TimedOut`], if what was waited for did not come about in time.
pub fn wait_for<T>(jobs: &[Job<T>], until: WaitFor, timeout: Duration) -> Result<(), TimedOut> {
    wait_until(jobs, until, deadline(timeout))
}

fn wait_until<T>(
    jobs: &[Job<T>],
    until: WaitFor,
    deadline: Option<Instant>,
) -> Result<(), TimedOut> {
    let ended = SimpleQueue::new();
    for (index, job) in jobs.iter().enumerate() {
        announce(job, index, &ended);
    }
    for _ in jobs {
        let index = next_ended(&ended, jobs.iter(), deadline)?;
        let failed = || jobs[index].state().end() != JobEnd::Finished;
        if until == WaitFor::First || (until == WaitFor::FirstError && failed()) {
            break;
        }
    }
    Ok(())
}
