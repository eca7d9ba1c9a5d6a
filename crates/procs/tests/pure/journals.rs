//! The journal. What its orders of access are worth is explored by `tests/loom`.

use std::thread;

use crate::wire::journal::{Claim, Journal, MAX_REPORT, RING_SIZE};

/// Records of a stream: each byte says where it stands.
fn stream(start: u64, count: usize) -> Vec<u8> {
    (start..).take(count).map(|at| (at * 7) as u8).collect()
}

#[test]
fn records_are_found_across_the_end_of_the_ring() {
    let journal = Journal::new().unwrap();
    let mut position = RING_SIZE as u64 - 50;
    for count in [1, 8, 13, 20, 9, 64, 5] {
        let from = position;
        journal.write(position, &stream(position, count));
        position += count as u64;
        journal.publish(position);
        assert_eq!(journal.peek(from), Some(stream(from, count)));
        assert_eq!(journal.committed_after(from), Some(stream(from, count)));
        assert_eq!(journal.peek(position), None);
    }
}

#[test]
fn records_before_one_that_bypassed_the_ring_are_not_in_it() {
    let journal = Journal::new().unwrap();
    journal.write(0, &stream(0, 10));
    journal.publish(10);
    journal.publish_bypass(100);
    assert_eq!(journal.committed_after(0), None);
    journal.write(100, &stream(100, 10));
    journal.publish(110);
    assert_eq!(journal.committed_after(100), Some(stream(100, 10)));
}

#[test]
fn a_report_is_found_by_its_task_only() {
    let journal = Journal::new().unwrap();
    journal.report(4, b"what it said");
    assert_eq!(journal.report_of(4).as_deref(), Some(&b"what it said"[..]));
    assert_eq!(journal.report_of(5), None);
    journal.report(5, &vec![1; MAX_REPORT + 1]);
    assert_eq!(journal.report_of(5), None);
}

#[test]
fn a_worker_and_its_parent_agree_on_each_task() {
    const TASKS: u64 = 8;
    let journal = Journal::new().unwrap();
    let first = journal.next();
    let (begun, revoked) = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let begins = |index: &u64| {
                let begun = journal.claim(first + index).unwrap() == Claim::Begun;
                if begun {
                    journal.write(index * 24, &stream(index * 24, 24));
                    journal.publish((index + 1) * 24);
                }
                begun
            };
            (0..TASKS).take_while(begins).count() as u64
        });
        thread::yield_now();
        if let Some(bytes) = journal.peek(0) {
            assert_eq!(bytes, stream(0, bytes.len()));
        }
        let revoked = journal.revoke() - first;
        (worker.join().unwrap(), revoked)
    });
    assert_eq!(begun, revoked);
    assert!(
        journal
            .claim(first + begun)
            .is_ok_and(|claim| claim == Claim::Revoked)
    );
    journal.acknowledge_revocation();
    assert_eq!(journal.next(), first + begun);
    assert_eq!(journal.claim(first + begun).unwrap(), Claim::Begun);
    assert!(
        journal.claim(first + begun).is_err(),
        "it has begun already"
    );
}
