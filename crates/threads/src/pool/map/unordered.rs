//! The results of a map as they come.

use super::MAX_SIZE;
use super::input::{Input, Submitted, at_once};
use crate::error::{JobError, TimedOut};
use crate::park::deadline;
use crate::pool::completion::CompletionQueue;
use crate::pool::job::Job;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The results of [`Map::unordered`](super::Map::unordered), the first to be ready first.
///
/// If the input panics, the panic continues in the caller of `next`. Dropping the iterator cancels what has not
/// started.
#[must_use = "a map does nothing before it is iterated over"]
pub struct MapUnordered<I: Iterator, F, R> {
    input: Input<I, F>,
    /// Submitted jobs, each in a slot whose number it gives to `ended` at its end.
    jobs: Vec<Option<Job<R>>>,
    free: Vec<usize>,
    ended: Arc<CompletionQueue>,
    /// Slots of jobs that may still be queued, oldest first.
    queued: VecDeque<usize>,
    window: usize,
}

impl<I: Iterator, F, R> MapUnordered<I, F, R> {
    pub(super) fn new(input: Input<I, F>, window: usize) -> Self {
        Self {
            input,
            jobs: Vec::new(),
            free: Vec::new(),
            ended: Arc::new(CompletionQueue::new()),
            queued: VecDeque::new(),
            window,
        }
    }

    /// Sets how many items may be submitted and not yet returned. Default: 16 for each worker.
    ///
    /// 0 counts as 1, and more than 65,536 as that.
    pub fn window(mut self, items: usize) -> Self {
        self.window = items.clamp(1, MAX_SIZE);
        self
    }

    fn submitted(&self) -> usize {
        self.jobs.len() - self.free.len()
    }

    fn insert(&mut self, job: Job<R>) {
        let slot = self.free.pop().unwrap_or(self.jobs.len());
        job.notify_group(&self.ended, slot);
        self.queued.push_back(slot);
        if slot == self.jobs.len() {
            self.jobs.push(Some(job));
        } else {
            self.jobs[slot] = Some(job);
        }
    }

    /// Runs the oldest queued job, if `run`. Forgets those that are no longer queued: workers take the oldest first,
    /// so that each is looked at once.
    fn run_oldest(&mut self, run: bool) {
        while let Some(slot) = self.queued.front() {
            #[cfg(test)]
            crate::pool::visits::count();
            let queued = self.jobs[*slot]
                .as_ref()
                .filter(|job| job.state().is_queued());
            if !run && queued.is_some() {
                return;
            }
            let ran = queued.is_some_and(Job::run_if_queued);
            self.queued.pop_front();
            if ran {
                return;
            }
        }
    }
}

impl<I, F, R> MapUnordered<I, F, R>
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
    /// [`TimedOut`], if none was ready in time. Later calls go on.
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
        if self.submitted() == 0 {
            return Ok(None);
        }
        let slot = self.ended.try_next();
        self.run_oldest(slot.is_none() && self.input.pool.is_own_worker());
        let slot = slot.or_else(|| self.ended.next(deadline)).ok_or(TimedOut)?;
        self.free.push(slot);
        Ok(self.jobs[slot].take().map(Job::result))
    }

    /// Submits as many items as the window and the pool's queue have room for; waits for room for the first only.
    fn fill(&mut self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        while self.submitted() < self.window {
            let alone = self.submitted() == 0;
            let limit = || if alone { deadline } else { at_once() };
            match self.input.submit(limit) {
                Submitted::Job(job) => self.insert(job),
                Submitted::NoRoom if alone => return Err(TimedOut),
                Submitted::NoRoom | Submitted::End => break,
            }
        }
        Ok(())
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
        // Without a deadline it cannot time out.
        self.advance(None).ok().flatten()
    }
}

impl<I: Iterator, F, R> Drop for MapUnordered<I, F, R> {
    fn drop(&mut self) {
        for job in self.jobs.iter().flatten() {
            job.cancel();
        }
    }
}

/// The state of the iterator is right after a panic of user code.
impl<I: Iterator, F, R> UnwindSafe for MapUnordered<I, F, R> {}
impl<I: Iterator, F, R> RefUnwindSafe for MapUnordered<I, F, R> {}

impl<I: Iterator, F, R> fmt::Debug for MapUnordered<I, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapUnordered")
            .field("submitted", &self.submitted())
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}
