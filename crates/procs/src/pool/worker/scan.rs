//! Finds results and notices in what a worker has sent.

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
    /// Results.
    Results(Results),
}

/// Results that follow each other.
#[derive(Clone, Copy, Default)]
pub(in crate::pool) struct Results {
    pub(in crate::pool) count: usize,
    /// How many of them have no value.
    pub(in crate::pool) failed: usize,
    /// How many bytes they take.
    pub(in crate::pool) size: usize,
}

/// Looks for a notice, or else for as many results as are there, up to `limit`; the first is that of the job `number`.
/// `early`: the worker takes no tasks yet.
pub(in crate::pool) fn scan(
    unread: &[u8],
    number: u64,
    limit: usize,
    early: bool,
) -> Result<Scan, Corrupt> {
    let mut found = Results::default();
    while let Some(record) = wire::record(&unread[found.size..])? {
        if early || !record.tag.is_result() {
            if found.count == 0 {
                if !record.is_of(NO_JOB) {
                    return Err(Corrupt);
                }
                let payload = record.payload.to_vec();
                return Ok(Scan::Notice {
                    tag: record.tag,
                    payload,
                    size: record.size,
                });
            }
            break;
        }
        if limit == 0 {
            // An answer to nothing.
            return Err(Corrupt);
        }
        if found.count == limit {
            break;
        }
        if !record.is_of(number + found.count as u64) {
            // The result of another job, or bytes that a task has overwritten.
            return Err(Corrupt);
        }
        found.size += record.size;
        found.count += 1;
        found.failed += usize::from(record.tag != Tag::Value);
    }
    Ok(if found.count == 0 {
        Scan::Nothing
    } else {
        Scan::Results(found)
    })
}
