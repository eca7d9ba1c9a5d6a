//! Many calls of one task over an input that is read as results are taken: memory stays bounded however long it is.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::error::JobError;
use crate::task::Task;
use crate::wire::codec;

use crate::pool::Pool;
use crate::pool::job;
use crate::pool::job::batch;
use crate::pool::job::map::{Batcher, Results, Run};

/// The results of [`Pool::imap`] and [`Pool::imap_unordered`], as they come.
///
/// Reads its input only as far as the window allows: at most so many calls are under way, or done and not yet taken.
/// Dropping it gives up the results of calls that are under way; the rest of the input is not read.
pub struct Imap<'p, T: Task, I> {
    batcher: Batcher<'p>,
    results: Arc<Results>,
    input: Option<I>,
    window: usize,
    /// Calls that were given to the pool and whose results have not been taken out of `results`.
    under_way: usize,
    /// Results that were taken out, and not returned.
    ready: VecDeque<Result<T::Output, JobError>>,
    /// The index of the next result, if the order matters.
    next: Option<usize>,
}

impl<'p, T: Task, I: Iterator<Item = T::Args>> Imap<'p, T, I> {
    pub(in crate::pool) fn new(pool: &'p Pool, input: I, window: usize, ordered: bool) -> Self {
        let results = Arc::new(Results::default());
        Self {
            batcher: Batcher::new::<T>(pool, &results),
            results,
            input: Some(input),
            window: window.max(1),
            under_way: 0,
            ready: VecDeque::new(),
            next: ordered.then_some(0),
        }
    }

    /// Lets this many calls be under way, or done and not yet taken: at least 1. Without this, it is twice the number of
    /// workers and at least 64, so that workers with short tasks do not wait for the caller.
    #[must_use]
    pub fn window(mut self, window: usize) -> Self {
        self.window = window.max(1);
        self
    }

    /// Gives calls to the pool until the window is full, once there is room for a good part of it.
    fn feed(&mut self) {
        let room = self
            .window
            .saturating_sub(self.under_way + self.ready.len());
        if room < self.window.div_ceil(4) {
            return;
        }
        for _ in 0..room {
            let Some(args) = self.input.as_mut().and_then(Iterator::next) else {
                self.input = None;
                break;
            };
            self.batcher.add(&args);
            self.under_way += 1;
        }
        self.batcher.send();
    }

    /// Waits for some results, and decodes them.
    fn fetch(&mut self) {
        let (first, run) = self.results.take(self.next);
        let count = run.len();
        self.under_way -= count;
        if let Some(next) = &mut self.next {
            *next = first + count;
        }
        match run {
            Run::Failed(error) => self.ready.push_back(Err(error)),
            // The pool has parsed these records before; here they cannot be corrupt.
            Run::Records(_, records) => drop(batch::each_record(&records, |record| {
                let bytes = job::outcome(&record);
                self.ready.push_back(
                    bytes.and_then(|bytes| codec::decode(bytes).map_err(JobError::Decode)),
                );
            })),
        }
    }
}

impl<T: Task, I: Iterator<Item = T::Args>> Iterator for Imap<'_, T, I> {
    type Item = Result<T::Output, JobError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.feed();
        if self.ready.is_empty() && self.under_way > 0 {
            self.fetch();
        }
        self.ready.pop_front()
    }
}

impl<T: Task, I> fmt::Debug for Imap<'_, T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("window", &self.window)
            .field("under_way", &self.under_way)
            .field("ready", &self.ready.len())
            .field("input_ended", &self.input.is_none())
            .finish()
    }
}
