//! Finds results and notices in what a worker has sent.

use crate::wire::{self, Corrupt, Tag};

/// What a worker's records say next.
pub(super) enum Scan {
    /// No whole record is there.
    Nothing,
    /// A record that ends no task.
    Notice {
        tag: Tag,
        payload: Vec<u8>,
        size: usize,
    },
    /// So many results, which take so many bytes.
    Results { count: usize, size: usize },
}

/// Looks for a notice, or else for as many results as are there, up to `limit`. `early`: the worker takes no tasks yet.
pub(super) fn scan(unread: &[u8], limit: usize, early: bool) -> Result<Scan, Corrupt> {
    let (mut count, mut size) = (0, 0);
    while let Some(record) = wire::record(&unread[size..])? {
        if early || !record.tag.is_result() {
            if count == 0 {
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
        if count == limit {
            break;
        }
        size += record.size;
        count += 1;
    }
    Ok(if count == 0 {
        Scan::Nothing
    } else {
        Scan::Results { count, size }
    })
}
