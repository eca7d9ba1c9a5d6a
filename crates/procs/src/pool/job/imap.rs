//! Many calls of one task over an input that is read as results are taken, so that memory is bounded for any input.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::error::{JobError, TimedOut};
use crate::task::Task;
use crate::wire::codec;

use crate::pool::Pool;
use crate::pool::job::batch::ResultRun;
use crate::pool::job::map::{Batcher, Results, Run};

/// Iterator over the results of [`Pool::map`], [`Pool::imap`] and [`Pool::imap_unordered`].
///
/// The iterator reads its input only as far as the window allows. The window is the largest number of calls that are
/// submitted and whose results have not been returned. If the input panics, the panic continues in the caller of `next`;
/// the items before it are run. Dropping the iterator discards the results of submitted calls, which continue. The rest of
/// the input is not read.
#[must_use = "iterators are lazy: the rest of the input is read as results are taken"]
pub struct Imap<'p, T: Task, I> {
    batcher: Batcher<'p>,
    results: Arc<Results>,
    input: Option<I>,
    window: usize,
    /// Number of submitted calls whose results have not been taken out of `results`.
    submitted: usize,
    /// Results that were taken out, and the index of the first one that has not been returned.
    ready: Option<(Run, usize)>,
    /// The index of the next result; `None` if they are returned as they arrive.
    next: Option<usize>,
    task: PhantomData<fn() -> T>,
}

impl<'p, T: Task, I: Iterator<Item = T::Args>> Imap<'p, T, I> {
    pub(in crate::pool) fn new(pool: &'p Pool, input: I, window: usize, ordered: bool) -> Self {
        let results = Arc::new(Results::default());
        Self {
            batcher: Batcher::new::<T>(pool, &results),
            results,
            input: Some(input),
            window: window.max(1),
            submitted: 0,
            ready: None,
            next: ordered.then_some(0),
            task: PhantomData,
        }
    }

    /// Sets the window: at least 1. Default: twice the number of workers, and at least 64.
    ///
    /// A small window makes workers with short tasks wait for the caller.
    pub fn window(mut self, window: usize) -> Self {
        self.window = window.max(1);
        self
    }

    /// Returns the number of results that were taken out and not returned.
    fn undelivered(&self) -> usize {
        self.ready
            .as_ref()
            .map_or(0, |(run, next)| run.len() - next)
    }

    /// Submits calls until the window is full, once at least a quarter of it is free.
    fn feed(&mut self) {
        let room = self
            .window
            .saturating_sub(self.submitted + self.undelivered());
        if room < self.window.div_ceil(4) {
            return;
        }
        self.submit(room);
    }

    fn submit(&mut self, count: usize) {
        // Items that were read before the input panics are submitted as well.
        let sending = SendOnDrop(&mut self.batcher);
        for _ in 0..count {
            let Some(args) = self.input.as_mut().and_then(Iterator::next) else {
                self.input = None;
                break;
            };
            self.submitted += 1;
            sending.0.add(&args);
        }
    }

    /// Submits one item for each worker at once.
    pub(in crate::pool) fn begin(mut self, workers: usize) -> Self {
        self.submit(workers.min(self.window));
        self
    }

    /// Returns results in the order in which they arrive: a slow call delays no other result.
    ///
    /// Results that have already been taken out are returned in order.
    pub fn unordered(mut self) -> Self {
        self.next = None;
        self
    }

    /// Returns the next result, if it arrives within `time`; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when it has not arrived. A later call waits for it again.
    pub fn next_for(
        &mut self,
        time: Duration,
    ) -> Result<Option<Result<T::Output, JobError>>, TimedOut> {
        self.next_by(Instant::now().checked_add(time))
    }

    /// As [`next_for`](Self::next_for), until a point in time.
    ///
    /// # Errors
    ///
    /// As [`next_for`](Self::next_for).
    pub fn next_until(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Result<T::Output, JobError>>, TimedOut> {
        self.next_by(Some(deadline))
    }

    fn next_by(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<Option<Result<T::Output, JobError>>, TimedOut> {
        self.feed();
        if self.ready.is_none() && self.submitted > 0 {
            self.fetch(deadline)?;
        }
        Ok(self.decode_next())
    }

    /// Waits for the next run of results.
    fn fetch(&mut self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        let (first, run) = self.results.take(self.next, deadline).ok_or(TimedOut)?;
        let count = run.len();
        self.submitted -= count;
        if let Some(next) = &mut self.next {
            *next = first + count;
        }
        self.ready = Some((run, 0));
        Ok(())
    }

    /// Decodes the next result that was taken out. If its decoder panics, only that result is lost.
    fn decode_next(&mut self) -> Option<Result<T::Output, JobError>> {
        let (run, next) = self.ready.as_mut()?;
        let index = *next;
        *next += 1;
        let last = *next >= run.len();
        match run {
            Run::Failed(error) => {
                let error = error.clone();
                self.ready = None;
                Some(Err(error))
            }
            Run::Results(run) if last => {
                let run = mem::take(run);
                self.ready = None;
                Some(decode(&run, index))
            }
            Run::Results(run) => Some(decode(run, index)),
        }
    }
}

fn decode<R: DeserializeOwned>(run: &ResultRun, index: usize) -> Result<R, JobError> {
    codec::decode(run.get(index)?).map_err(JobError::Decode)
}

/// Submits the gathered items when it is dropped, also while the input panics.
struct SendOnDrop<'b, 'p>(&'b mut Batcher<'p>);

impl Drop for SendOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.send();
    }
}

impl<T: Task, I: Iterator<Item = T::Args>> Iterator for Imap<'_, T, I> {
    type Item = Result<T::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Without a deadline there is no error.
        self.next_by(None).ok().flatten()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let known = self.submitted + self.undelivered();
        let (least, most) = match &self.input {
            Some(input) => input.size_hint(),
            None => (0, Some(0)),
        };
        let most = most.and_then(|most| most.checked_add(known));
        (least.saturating_add(known), most)
    }
}

impl<T: Task, I: Iterator<Item = T::Args>> FusedIterator for Imap<'_, T, I> {}

impl<T: Task, I> fmt::Debug for Imap<'_, T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("window", &self.window)
            .field("submitted", &self.submitted)
            .field("ready", &self.ready.is_some())
            .field("input_ended", &self.input.is_none())
            .finish()
    }
}
