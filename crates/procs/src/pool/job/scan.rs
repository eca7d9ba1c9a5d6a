//! Finds results and notices in the bytes that a worker has sent.

use std::ops::Range;

use crate::wire::{self, Corrupt, NO_JOB, Tag};

/// What a worker's records say next.
pub(in crate::pool) enum Scan {
    /// No whole record is there.
    Nothing,
    /// A record that ends no task.
    Notice {
        tag: Tag,
        payload: Vec<u8>,
        size: usize,
    },
    /// Results that follow each other.
    Results {
        results: Vec<ScannedResult>,
        /// The size of their records in bytes.
        size: usize,
    },
}

/// One result: what it is, and where its payload stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct ScannedResult {
    pub(in crate::pool) tag: Tag,
    start: u32,
    end: u32,
}

impl ScannedResult {
    /// A payload in the bytes of a run. The largest payload leaves a run far below 4 GiB.
    fn new(tag: Tag, payload: Range<usize>) -> Result<Self, Corrupt> {
        let narrow = |position| u32::try_from(position).map_err(|_| Corrupt);
        Ok(Self {
            tag,
            start: narrow(payload.start)?,
            end: narrow(payload.end)?,
        })
    }

    /// Where in the bytes of its run the payload stands.
    pub(in crate::pool) fn payload(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Looks for a notice, or else for as many results as are there, up to `limit`; the first is that of the job `number`.
/// `early`: the worker takes no tasks yet.
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
            if !results.is_empty() {
                break;
            }
            if !record.is_of(NO_JOB) {
                return Err(Corrupt);
            }
            return Ok(Scan::Notice {
                tag: record.tag,
                payload: record.payload.to_vec(),
                size: record.size,
            });
        }
        if results.len() == limit && limit > 0 {
            break;
        }
        // Refused: a result of another job, an answer to nothing, bytes that a task has overwritten.
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
