//! Waits for several jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::TimedOut;

use crate::pool::job::{CompletionQueue, Job};

/// Condition that ends a wait for several jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "return_when")]
#[non_exhaustive]
pub enum WaitFor {
    /// The first job that ends.
    First,
    /// The first job that ends without a result, or the end of all.
    FirstError,
    /// The end of all.
    All,
}

/// Waits for jobs, without taking their results. `is_done` and `try_result` show which have ended.
///
/// Jobs of different pools may be mixed. Without jobs it returns at once.
///
/// ```
/// use procs::{Job, Pool, WaitFor, wait};
///
/// #[procs::task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[procs::main]
/// fn main() {
///     let pool = Pool::new(2).unwrap();
///     let jobs: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
///     wait(&jobs, WaitFor::First);
///     assert!(jobs.iter().any(Job::is_done));
///     wait(&jobs, WaitFor::All);
///     assert!(jobs.iter().all(Job::is_done));
/// }
/// ```
pub fn wait<R>(jobs: &[Job<R>], until: WaitFor) {
    // Without a deadline there is no error.
    let _ = wait_by(jobs, until, None);
}

/// Waits for jobs as [`wait`], but no longer than `time`.
///
/// # Errors
///
/// [`TimedOut`] if `until` is not met within `time`. The jobs continue.
pub fn wait_for<R>(jobs: &[Job<R>], until: WaitFor, time: Duration) -> Result<(), TimedOut> {
    wait_by(jobs, until, Instant::now().checked_add(time))
}

fn wait_by<R>(jobs: &[Job<R>], until: WaitFor, deadline: Option<Instant>) -> Result<(), TimedOut> {
    let queue = Arc::default();
    for (index, job) in jobs.iter().enumerate() {
        job.notify_queue(&queue, index);
    }
    let result = await_queue(jobs, &queue, until, deadline);
    // Without this, waits in a loop would add entries to running jobs without bound.
    jobs.iter().for_each(|job| job.forget_queue(&queue));
    result
}

fn await_queue<R>(
    jobs: &[Job<R>],
    queue: &CompletionQueue,
    until: WaitFor,
    deadline: Option<Instant>,
) -> Result<(), TimedOut> {
    for _ in jobs {
        let index = queue.next(deadline).ok_or(TimedOut)?;
        let failed = || jobs[index].has_failed();
        if until == WaitFor::First || (until == WaitFor::FirstError && failed()) {
            break;
        }
    }
    Ok(())
}
