//! Many calls of one task: results in the order of the arguments.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::de::DeserializeOwned;

use crate::error::JobError;
use crate::task::{self, Task};
use crate::wire::codec;

use crate::pool::Pool;
use crate::pool::job::batch::{self, BatchSlice, ResultRun, ResultSink};
use crate::pool::shared;

/// Largest number of items of a batch. The supervisor splits batches by the room of its workers.
const BATCH_ITEMS: usize = 2048;
/// Size in bytes from which on a batch is submitted.
const BATCH_BYTES: usize = 64 * 1024;

/// Fewest results for which the caller is woken to decode them, unless they are the last.
const COLLECT_ITEMS: usize = 4096;

/// The results of a map, as runs of records.
#[derive(Default)]
pub(in crate::pool) struct Results {
    arrived: Mutex<Arrived>,
    more: Condvar,
}

#[derive(Default)]
struct Arrived {
    /// By the index of their first item.
    runs: BTreeMap<usize, Run>,
    items: usize,
    /// Number of items from which the waiting caller is woken; `None`: no thread waits.
    wanted: Option<usize>,
}

/// Outcome of consecutive items.
pub(in crate::pool) enum Run {
    /// Results of one or more items.
    Results(ResultRun),
    /// Error of one item.
    Failed(JobError),
}

impl Run {
    pub(in crate::pool) fn len(&self) -> usize {
        match self {
            Self::Results(run) => run.len(),
            Self::Failed(_) => 1,
        }
    }
}

impl Results {
    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, first: usize, run: Run) {
        let mut arrived = self.lock();
        arrived.items += run.len();
        arrived.runs.insert(first, run);
        let enough = arrived.wanted.is_some_and(|wanted| arrived.items >= wanted);
        drop(arrived);
        if enough {
            self.more.notify_one();
        }
    }

    /// Waits until at least `count` items have arrived since the last call, and takes them out. `None`: the deadline passes
    /// first.
    fn take_some(&self, count: usize, deadline: Option<Instant>) -> Option<BTreeMap<usize, Run>> {
        let mut arrived = self.lock();
        while arrived.items < count {
            arrived.wanted = Some(count);
            arrived = shared::wait(&self.more, arrived, deadline)?;
        }
        arrived.wanted = None;
        arrived.items = 0;
        Some(std::mem::take(&mut arrived.runs))
    }

    /// Waits for the run that begins at an index, or for any run, and takes it out. `None`: the deadline passes first.
    pub(in crate::pool) fn take(
        &self,
        index: Option<usize>,
        deadline: Option<Instant>,
    ) -> Option<(usize, Run)> {
        let mut arrived = self.lock();
        loop {
            let found = match index {
                Some(index) => arrived.runs.remove_entry(&index),
                None => arrived.runs.pop_first(),
            };
            if let Some(found) = found {
                arrived.wanted = None;
                return Some(found);
            }
            arrived.wanted = Some(0);
            arrived = shared::wait(&self.more, arrived, deadline)?;
        }
    }
}

impl ResultSink for Results {
    fn assign(&self) -> bool {
        true
    }

    fn requeue(&self) {}

    fn results(&self, first: usize, run: ResultRun) {
        self.add(first, Run::Results(run));
    }

    fn fail(&self, index: usize, error: JobError) {
        self.add(index, Run::Failed(error));
    }

    fn abandon(&self, first: usize, count: usize) {
        (first..first + count).for_each(|index| self.fail(index, JobError::Closed));
    }
}

/// Gathers items into batches and submits them.
pub(in crate::pool) struct Batcher<'a> {
    pool: &'a Pool,
    task: u64,
    results: Arc<Results>,
    items: Vec<u8>,
    first: usize,
    count: usize,
}

impl<'a> Batcher<'a> {
    pub(in crate::pool) fn new<T: Task>(pool: &'a Pool, results: &Arc<Results>) -> Self {
        let task = task::id_of::<T>();
        Self {
            pool,
            task,
            results: Arc::clone(results),
            items: Vec::new(),
            first: 0,
            count: 0,
        }
    }

    /// Adds the next item.
    pub(in crate::pool) fn add<A: serde::Serialize>(&mut self, args: &A) {
        match batch::put_item(&mut self.items, args) {
            Ok(()) => self.count += 1,
            Err(error) => {
                self.send();
                self.results.fail(self.first, JobError::Encode(error));
                self.first += 1;
            }
        }
        if self.count == BATCH_ITEMS || self.items.len() >= BATCH_BYTES {
            self.send();
        }
    }

    /// Submits the gathered items.
    pub(in crate::pool) fn send(&mut self) {
        if self.count > 0 {
            let sink: Arc<dyn ResultSink> = Arc::clone(&self.results) as _;
            let items = std::mem::take(&mut self.items);
            self.pool.submit_slice(BatchSlice::new(
                self.task, items, self.first, self.count, sink,
            ));
        }
        self.first += self.count;
        self.count = 0;
    }
}

/// Runs the task on every item, and waits for all results.
pub(in crate::pool) fn map<T: Task>(
    pool: &Pool,
    items: impl IntoIterator<Item = T::Args>,
    deadline: Option<Instant>,
) -> Result<Vec<T::Output>, JobError> {
    let results = Arc::new(Results::default());
    let mut batcher = Batcher::new::<T>(pool, &results);
    for item in items {
        batcher.add(&item);
    }
    batcher.send();
    collect(&results, batcher.first, deadline)
}

/// Decodes the results of `total` items as they arrive.
fn collect<R: DeserializeOwned>(
    results: &Results,
    total: usize,
    deadline: Option<Instant>,
) -> Result<Vec<R>, JobError> {
    let mut values = Vec::with_capacity(total);
    let mut failure = None;
    let mut ahead = BTreeMap::new();
    let (mut arrived, mut next) = (0, 0);
    while arrived < total {
        // Waits for a sixteenth of the items at a time, so that the number of wake-ups is bounded.
        let count = (total / 16).max(COLLECT_ITEMS).min(total - arrived);
        let runs = results
            .take_some(count, deadline)
            .ok_or(JobError::TimedOut)?;
        arrived += runs.values().map(Run::len).sum::<usize>();
        ahead.extend(runs);
        while let Some(run) = ahead.remove(&next) {
            next += run.len();
            let decoded = match &run {
                Run::Failed(error) => Err(error.clone()),
                Run::Results(run) if failure.is_none() => decode_run(run, &mut values),
                Run::Results(_) => Ok(()),
            };
            if let Err(error) = decoded {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(values), Err)
}

/// Appends the values of a run.
fn decode_run<R: DeserializeOwned>(run: &ResultRun, values: &mut Vec<R>) -> Result<(), JobError> {
    for index in 0..run.len() {
        let value = codec::decode(run.get(index)?).map_err(JobError::Decode)?;
        values.push(value);
    }
    Ok(())
}
