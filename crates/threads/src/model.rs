//! What loom's tests need besides the public names: a job without the pool's threads.

use crate::park;
use crate::pool::{Job, Runnable, new_task};
use std::sync::Arc;

/// The spin lock, which the queues' models replace by a mutex.
pub struct SpinLock(park::SpinLock<usize>);

impl SpinLock {
    /// A lock around zero.
    pub fn new() -> Self {
        Self(park::SpinLock::new(0))
    }

    /// Adds one, in two steps, and returns the sum.
    pub fn add_one(&self) -> usize {
        self.0.with(|n| {
            let old = *n;
            loom::thread::yield_now();
            *n = old + 1;
            *n
        })
    }
}

/// The worker's half of a job.
pub struct Runner(Arc<dyn Runnable>);

impl Runner {
    /// What a worker does with a task it took. True: the function ran here.
    pub fn run(self) -> bool {
        self.0.run()
    }
}

/// Both halves of a job that no pool knows of.
pub fn task<F, T>(f: F) -> (Runner, Job<T>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (task, handle) = new_task(f, 0, None);
    (Runner(task), Job::new(handle))
}

/// What a worker does that waits for a job of its own pool. True: the function ran here.
pub fn run_inline<T>(job: &Job<T>) -> bool {
    job.run_if_queued()
}
