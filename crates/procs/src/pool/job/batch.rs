//! Batches of encoded items of one task, split and put back without a copy, and where their results go.

use std::cell::Cell;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{DecodeError, EncodeError, JobError};
use crate::wire::codec;
use crate::wire::{self, Tag};

use crate::pool::job::scan::ScannedResult;
use crate::pool::stats::Counters;

/// Receiver of results. Each item ends in exactly one of `results`, `fail` and `abandon`.
pub(crate) trait ResultSink: Send + Sync {
    /// Called before the item is sent. False: it was cancelled, and is dropped.
    fn hand_out(&self) -> bool;

    /// Called when the item was taken back from a worker and waits again.
    fn take_back(&self);

    /// The results of items from index `first` on.
    fn results(&self, first: usize, run: ResultRun);

    /// The item will have no result.
    fn fail(&self, index: usize, error: JobError);

    /// The items were dropped; those without a result will never have one.
    fn abandon(&self, first: usize, count: usize);
}

/// Results of items that follow each other, as a worker sent them.
#[derive(Default)]
pub(crate) struct ResultRun {
    bytes: Vec<u8>,
    results: Vec<ScannedResult>,
}

impl ResultRun {
    pub(in crate::pool) fn len(&self) -> usize {
        self.results.len()
    }

    /// Returns the encoded value of one item, or the error in its place.
    pub(in crate::pool) fn get(&self, index: usize) -> Result<&[u8], JobError> {
        let result = &self.results[index];
        let payload = &self.bytes[result.payload()];
        let text = || String::from_utf8_lossy(payload).into_owned();
        Err(match result.tag {
            Tag::Value => return Ok(payload),
            Tag::Panicked => JobError::Panicked(wire::decode_panic(payload)),
            Tag::BadOutput => JobError::Encode(EncodeError::from_text(text())),
            // A scan returns records of results only.
            _ => JobError::Decode(DecodeError::from_text(text())),
        })
    }
}

/// Encoded items of one task.
struct Batch {
    task: u64,
    /// Each item: its length, its bytes.
    items: Vec<u8>,
    sink: Arc<dyn ResultSink>,
    /// Counters of its pool; `None` before it is submitted.
    counters: Option<Arc<Counters>>,
}

/// Consecutive items of a batch. Each item is in exactly one slice.
pub(crate) struct BatchSlice {
    batch: Arc<Batch>,
    /// The index of the first item, as its sink counts.
    first: usize,
    count: usize,
    /// A position in the batch's bytes, and the number of items between it and the first one.
    start: usize,
    skip: usize,
    /// Number of workers that died while they ran it.
    pub(crate) deaths: u32,
    /// Number of workers that died when it was the next that they would have begun.
    pub(crate) unbegun_deaths: u32,
    /// Whether the counters have it in flight.
    assigned: Cell<bool>,
}

impl BatchSlice {
    /// All items of a new batch.
    pub(crate) fn new(
        task: u64,
        items: Vec<u8>,
        first: usize,
        count: usize,
        sink: Arc<dyn ResultSink>,
    ) -> Self {
        let batch = Arc::new(Batch {
            task,
            items,
            sink,
            counters: None,
        });
        Self {
            batch,
            first,
            count,
            start: 0,
            skip: 0,
            deaths: 0,
            unbegun_deaths: 0,
            assigned: Cell::new(false),
        }
    }

    /// Counts the items in a pool, from now on. Called once, before anything else is done with them.
    pub(in crate::pool) fn count_in(&mut self, counters: &Arc<Counters>) {
        if let Some(batch) = Arc::get_mut(&mut self.batch) {
            batch.counters = Some(Arc::clone(counters));
            counters.submitted(self.count);
        }
    }

    fn counters(&self) -> Option<&Counters> {
        self.batch.counters.as_deref()
    }

    /// Counts the items as in flight, or as waiting.
    fn set_assigned(&self, assigned: bool) {
        if self.assigned.replace(assigned) == assigned {
            return;
        }
        match self.counters() {
            Some(counters) if assigned => counters.assigned(self.count),
            Some(counters) => counters.taken_back(self.count),
            None => {}
        }
    }

    pub(crate) fn task(&self) -> u64 {
        self.batch.task
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Marks the items as assigned to a worker. False: they were cancelled, and must be dropped.
    pub(crate) fn hand_out(&self) -> bool {
        let taken = self.batch.sink.hand_out();
        if taken {
            self.set_assigned(true);
        }
        taken
    }

    /// Marks the items as waiting again: the worker had not begun them, or they are retried.
    pub(crate) fn take_back(&self) {
        self.set_assigned(false);
        self.batch.sink.take_back();
    }

    /// Ends the first items in these results.
    pub(crate) fn deliver(&mut self, bytes: Vec<u8>, results: Vec<ScannedResult>) {
        let count = results.len();
        if let Some(counters) = self.counters() {
            let values = results.iter().filter(|result| result.tag == Tag::Value);
            counters.answered(count, count - values.count(), bytes.len());
        }
        let run = ResultRun { bytes, results };
        self.batch.sink.results(self.first, run);
        self.advance(count);
    }

    /// Ends the first item in an error.
    pub(crate) fn fail_first(&mut self, error: JobError) {
        self.count_failed(1);
        self.batch.sink.fail(self.first, error);
        self.advance(1);
    }

    /// Ends every item in an error.
    pub(crate) fn fail(mut self, error: &JobError) {
        while self.count > 0 {
            self.fail_first(error.clone());
        }
    }

    /// Drops the items, which were not submitted, without an error.
    pub(in crate::pool) fn forget(mut self) {
        self.count = 0;
    }

    fn count_failed(&self, count: usize) {
        if let Some(counters) = self.counters() {
            counters.failed(count);
            if self.assigned.get() {
                counters.taken_back(count);
            }
        }
    }

    /// Returns the bytes of exactly these items.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        self.seek_first();
        let end = skip_items(&self.batch.items, self.start, self.count);
        if let Some(counters) = self.counters() {
            counters.sent(end - self.start);
        }
        &self.batch.items[self.start..end]
    }

    /// Removes the first `count` items.
    fn advance(&mut self, count: usize) {
        self.first += count;
        self.count -= count;
        self.skip += count;
    }

    /// Splits off the first `count` items.
    pub(crate) fn split_front(&mut self, count: usize) -> Self {
        self.seek_first();
        let front = Self {
            batch: Arc::clone(&self.batch),
            first: self.first,
            count,
            start: self.start,
            skip: 0,
            deaths: self.deaths,
            unbegun_deaths: self.unbegun_deaths,
            assigned: self.assigned.clone(),
        };
        self.advance(count);
        front
    }

    /// Moves the position to the first item.
    fn seek_first(&mut self) {
        self.start = skip_items(&self.batch.items, self.start, self.skip);
        self.skip = 0;
    }
}

impl Drop for BatchSlice {
    /// Completes undelivered items with an error, so that no `Job` waits for ever.
    fn drop(&mut self) {
        if self.count > 0 {
            self.count_failed(self.count);
            self.batch.sink.abandon(self.first, self.count);
        }
    }
}

/// The position after `count` items.
fn skip_items(items: &[u8], mut at: usize, count: usize) -> usize {
    for _ in 0..count {
        // This process has written the bytes, so only their end stops the loop early.
        let Ok(Some((size, prefix))) = wire::length_at(&items[at..]) else {
            break;
        };
        at += prefix + size;
    }
    at
}

/// Appends an item. On an error `items` is as before.
pub(crate) fn put_item<A: Serialize>(items: &mut Vec<u8>, args: &A) -> Result<(), EncodeError> {
    wire::put_with_length(items, |items| codec::encode(args, items))
}
