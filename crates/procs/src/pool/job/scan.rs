//! Splits the bytes of a worker into results and notices.

use std::ops::Range;

use crate::wire::{self, Corrupt, NO_JOB, Record, Tag};

/// The next records in the bytes of a worker.
pub(in crate::pool) enum Scan {
    /// No complete record.
    Nothing,
    /// A record that ends no task.
    Notice {
        tag: Tag,
        payload: Vec<u8>,
        size: usize,
    },
    /// Results of consecutive tasks.
    Results {
        results: Vec<ScannedResult>,
        /// The size of their records in bytes.
        size: usize,
    },
}

/// One result: its tag, and the position of its payload.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct ScannedResult {
    pub(in crate::pool) tag: Tag,
    start: u32,
    end: u32,
}

impl ScannedResult {
    /// Narrows the positions to 32 bits: a run is far smaller than 4 GiB.
    fn new(tag: Tag, payload: Range<usize>) -> Result<Self, Corrupt> {
        let narrow = |position| u32::try_from(position).map_err(|_| Corrupt);
        Ok(Self {
            tag,
            start: narrow(payload.start)?,
            end: narrow(payload.end)?,
        })
    }

    /// Returns the position of the payload in the bytes of the run.
    pub(in crate::pool) fn payload(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Returns the notice at the start of the bytes, or else up to `limit` results, of which the first is that of task `number`.
/// `early`: the worker takes no tasks yet, so every record is a notice.
pub(in crate::pool) fn scan(
    unread: &[u8],
    number: u64,
    limit: usize,
    early: bool,
) -> Result<Scan, Corrupt> {
    let mut results = Vec::new();
    let mut size = 0;
    while let Some(record) = wire::record(&unread[size..])? {
        if early || !record.tag.is_result() {
            if results.is_empty() {
                return notice(&record);
            }
            break;
        }
        if results.len() == limit && limit > 0 {
            break;
        }
        // The result of another task, a result without a task, or bytes that a task has overwritten.
        if limit == 0 || !record.is_of(number + results.len() as u64) {
            return Err(Corrupt);
        }
        size += record.size;
        let payload = size - record.payload.len()..size;
        results.push(ScannedResult::new(record.tag, payload)?);
    }
    Ok(if results.is_empty() {
        Scan::Nothing
    } else {
        Scan::Results { results, size }
    })
}

fn notice(record: &Record<'_>) -> Result<Scan, Corrupt> {
    if !record.is_of(NO_JOB) {
        return Err(Corrupt);
    }
    Ok(Scan::Notice {
        tag: record.tag,
        payload: record.payload.to_vec(),
        size: record.size,
    })
}
