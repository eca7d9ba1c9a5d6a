//! The journal between a worker, here a thread, and its parent.

use std::sync::Arc;

use loom::thread;

use crate::explore;
use crate::sys::{self, BLOCK};
use crate::wire::journal::{Claim, Journal};

/// Puts the block of the task of this index into the ring, as its record.
fn record(journal: &Journal, index: u64) {
    let position = index * BLOCK as u64;
    journal.write(position, &vec![index as u8 + 1; BLOCK]);
    journal.publish(position + BLOCK as u64);
}

/// Begins tasks from this number on, up to `count`; runs and records each. Returns how many were begun.
fn work(journal: &Journal, first: u64, count: u64) -> u64 {
    for index in 0..count {
        match journal.claim(first + index).unwrap() {
            Claim::Begun => record(journal, index),
            Claim::Revoked => return index,
        }
    }
    count
}

/// Whether `bytes` are the records from the task of this index on.
fn are_records(bytes: &[u8], index: u64) -> bool {
    let blocks = bytes.chunks(BLOCK);
    blocks
        .zip(index..)
        .all(|(block, index)| block.iter().all(|byte| u64::from(*byte) == index + 1))
}

#[test]
fn no_task_is_both_begun_and_taken_back() {
    explore(5, || {
        let journal = Arc::new(Journal::new().unwrap());
        let first = journal.next();
        let theirs = Arc::clone(&journal);
        let worker = thread::spawn(move || {
            let begun = work(&theirs, first, 2);
            if begun < 2 {
                theirs.acknowledge_revocation();
            }
            begun
        });
        let begun = journal.revoke() - first;
        assert_eq!(worker.join().unwrap(), begun);
        if begun < 2 {
            // The number of the first task that was taken back is that of the next.
            assert_eq!(journal.next(), first + begun);
            assert_eq!(journal.claim(first + begun).unwrap(), Claim::Begun);
        }
    });
}

#[test]
fn a_revocation_shows_the_records_before_the_newest_task() {
    explore(5, || {
        let journal = Arc::new(Journal::new().unwrap());
        let first = journal.next();
        let theirs = Arc::clone(&journal);
        let worker = thread::spawn(move || work(&theirs, first, 2));
        let begun = journal.revoke() - first;
        let bytes = journal.committed_after(0).unwrap_or_default();
        assert!(bytes.len() as u64 >= begun.saturating_sub(1) * BLOCK as u64);
        assert!(are_records(&bytes, 0));
        worker.join().unwrap();
    });
}

#[test]
fn a_look_at_a_living_workers_records_finds_them_whole_or_none() {
    explore(4, || {
        let journal = Arc::new(Journal::new().unwrap());
        let theirs = Arc::clone(&journal);
        // One more than the ring has blocks: the last overwrites the first.
        let worker = thread::spawn(move || (0..5).for_each(|index| record(&theirs, index)));
        if let Some(bytes) = journal.peek(0) {
            assert!(are_records(&bytes, 0));
        }
        worker.join().unwrap();
    });
}

#[test]
fn the_time_of_a_call_is_that_of_the_newest_task() {
    explore(5, || {
        let journal = Arc::new(Journal::new().unwrap());
        journal.keep_time();
        let first = journal.next();
        let theirs = Arc::clone(&journal);
        let worker = thread::spawn(move || {
            for index in 0..3 {
                theirs.claim(first + index).unwrap();
                sys::set_clock(100 + index);
                theirs.timer().begin();
                theirs.timer().end();
            }
        });
        if let Some((number, started)) = journal.running() {
            assert_eq!(number - first, started - 100);
        }
        worker.join().unwrap();
    });
}
