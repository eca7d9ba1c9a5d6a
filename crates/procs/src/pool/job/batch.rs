//! Tasks on their way: items of one task, split and given back without copying, and where their results go.

use std::cell::Cell;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{DecodeError, EncodeError, JobError};
use crate::wire::codec;
use crate::wire::{self, Tag};

use crate::pool::job::scan::ScannedResult;
use crate::pool::stats::Counters;

/// Where results go. Each item ends in exactly one of `results`, `fail` and `abandon`.
pub(crate) trait ResultSink: Send + Sync {
    /// The item is about to be sent. False: it was cancelled, and must be forgotten.
    fn hand_out(&self) -> bool;

    /// The item was not begun after all, and waits again.
    fn take_back(&self);

    /// The results of items from index `first` on.
    fn results(&self, first: usize, run: ResultRun);

    /// The item will have no result.
    fn fail(&self, index: usize, error: JobError);

    /// The items were dropped; those without a result will never have one.
    fn abandon(&self, first: usize, count: usize);
}

/// Results of items that follow each other, as they came from a worker.
#[derive(Default)]
pub(crate) struct ResultRun {
    bytes: Vec<u8>,
    results: Vec<ScannedResult>,
}

impl ResultRun {
    pub(in crate::pool) fn len(&self) -> usize {
        self.results.len()
    }

    /// The encoded value of one item, or why there is none.
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
    /// Where its pool counts; `None` before it is given to one.
    counters: Option<Arc<Counters>>,
}

/// Some items of a batch, which nobody else has.
pub(crate) struct BatchSlice {
    batch: Arc<Batch>,
    /// The index of the first item, as its sink counts.
    first: usize,
    count: usize,
    /// Where in the batch's bytes to begin, and how many items to pass over from there.
    start: usize,
    skip: usize,
    /// How many workers have died while they ran it.
    pub(crate) deaths: u32,
    /// How many workers have died when it was the next that they would have begun.
    pub(crate) unbegun_deaths: u32,
    /// Whether it is counted as being with a worker.
    handed: Cell<bool>,
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
            handed: Cell::new(false),
        }
    }

    /// Counts the items in a pool, from now on. Called once, before anything else is done with them.
    pub(in crate::pool) fn count_in(&mut self, counters: &Arc<Counters>) {
        if let Some(batch) = Arc::get_mut(&mut self.batch) {
            batch.counters = Some(Arc::clone(counters));
            counters.given(self.count);
        }
    }

    fn counters(&self) -> Option<&Counters> {
        self.batch.counters.as_deref()
    }

    /// Notes whether a worker has the items.
    fn set_handed(&self, handed: bool) {
        if self.handed.replace(handed) == handed {
            return;
        }
        match self.counters() {
            Some(counters) if handed => counters.handed_out(self.count),
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

    /// The items are about to be sent. False: they were cancelled, and must be forgotten.
    pub(crate) fn hand_out(&self) -> bool {
        let taken = self.batch.sink.hand_out();
        if taken {
            self.set_handed(true);
        }
        taken
    }

    /// The items were not begun after all, and wait again.
    pub(crate) fn take_back(&self) {
        self.set_handed(false);
        self.batch.sink.take_back();
    }

    /// The first items have ended in these results.
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

    /// The first item will have no result.
    pub(crate) fn fail_first(&mut self, error: JobError) {
        self.count_failed(1);
        self.batch.sink.fail(self.first, error);
        self.advance(1);
    }

    /// No item will have a result.
    pub(crate) fn fail(mut self, error: &JobError) {
        while self.count > 0 {
            self.fail_first(error.clone());
        }
    }

    /// Drops the items, which were not given to a pool, without an error.
    pub(in crate::pool) fn forget(mut self) {
        self.count = 0;
    }

    fn count_failed(&self, count: usize) {
        if let Some(counters) = self.counters() {
            counters.failed(count);
            if self.handed.get() {
                counters.taken_back(count);
            }
        }
    }

    /// The bytes of exactly these items, for a worker.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        self.settle();
        let end = skip_items(&self.batch.items, self.start, self.count);
        if let Some(counters) = self.counters() {
            counters.sent(end - self.start);
        }
        &self.batch.items[self.start..end]
    }

    /// Forgets the first `count` items.
    fn advance(&mut self, count: usize) {
        self.first += count;
        self.count -= count;
        self.skip += count;
    }

    /// Splits off the first `count` items.
    pub(crate) fn split_front(&mut self, count: usize) -> Self {
        self.settle();
        let front = Self {
            batch: Arc::clone(&self.batch),
            first: self.first,
            count,
            start: self.start,
            skip: 0,
            deaths: self.deaths,
            unbegun_deaths: self.unbegun_deaths,
            handed: self.handed.clone(),
        };
        self.advance(count);
        front
    }

    /// Turns items to pass over into a byte position.
    fn settle(&mut self) {
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
        // The bytes were written by this process; without an item there is nothing more to pass over.
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
