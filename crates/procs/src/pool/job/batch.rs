//! Batches of encoded items of one task, split and requeued without a copy, and the receivers of their results.

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
    /// Marks the item as assigned to a worker, before it is sent. False: it was cancelled, and is dropped.
    fn assign(&self) -> bool;

    /// Marks the item as waiting, when it is requeued.
    fn requeue(&self);

    /// Ends the items from index `first` on in results.
    fn results(&self, first: usize, run: ResultRun);

    /// Ends the item in an error.
    fn fail(&self, index: usize, error: JobError);

    /// Ends items that were dropped without an outcome.
    fn abandon(&self, first: usize, count: usize);
}

/// Results of consecutive items, as a worker sent them.
#[derive(Default)]
pub(crate) struct ResultRun {
    bytes: Vec<u8>,
    results: Vec<ScannedResult>,
}

impl ResultRun {
    pub(in crate::pool) fn len(&self) -> usize {
        self.results.len()
    }

    /// Returns the encoded value of one item, or its error.
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
    /// The items, each as its length and its bytes.
    items: Vec<u8>,
    sink: Arc<dyn ResultSink>,
    /// Counters of the pool; `None` before the batch is submitted.
    counters: Option<Arc<Counters>>,
}

/// Consecutive items of a batch. Each item is in exactly one slice.
pub(crate) struct BatchSlice {
    batch: Arc<Batch>,
    /// The index of the first item in the numbering of the sink.
    first: usize,
    count: usize,
    /// A position in the batch's bytes, and the number of items between it and the first item of the slice.
    start: usize,
    skip: usize,
    /// Number of workers that died while they ran its first item.
    pub(crate) deaths: u32,
    /// Number of workers that died when its first item was the next that they would have begun.
    pub(crate) unbegun_deaths: u32,
    /// Whether the counters count the items as in flight.
    assigned: Cell<bool>,
}

impl BatchSlice {
    /// Makes a batch and returns all its items.
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

    /// Counts the items in a pool from now on. Called once, before any other method.
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
    pub(crate) fn assign(&self) -> bool {
        let assigned = self.batch.sink.assign();
        if assigned {
            self.set_assigned(true);
        }
        assigned
    }

    /// Marks the items as waiting again: their worker had not begun them, or they are retried.
    pub(crate) fn requeue(&self) {
        self.set_assigned(false);
        self.batch.sink.requeue();
    }

    /// Ends the first items in results.
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

    /// Drops items that were not submitted. Their receiver gets no error.
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

    /// Returns the bytes of the items, and counts them as sent.
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

/// Returns the position after `count` items.
fn skip_items(items: &[u8], mut at: usize, count: usize) -> usize {
    for _ in 0..count {
        // This process has encoded the items, so only their end stops the loop early.
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
