//! `imap` reads its input as its results are taken, and `as_completed` returns jobs as they end.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use procs::{JobError, Pool, TimedOut};

use crate::common::{Folder, LIMIT, eventually, mark_and_sleep};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

#[procs::task]
fn fail_odd(n: u64) -> u64 {
    assert!(n.is_multiple_of(2), "{n} is odd");
    n
}

#[procs::task]
fn sleep_millis(millis: u64) -> u64 {
    thread::sleep(Duration::from_millis(millis));
    millis
}

#[test]
fn imap_is_ordered_and_reads_no_further_than_its_window() {
    let pool = Pool::new(2).unwrap();
    let read = Cell::new(0);
    let input = (0..).inspect(|_| read.set(read.get() + 1));
    let mut results = pool.imap(square, input).window(10);
    for n in 0..500 {
        assert_eq!(results.next().unwrap().unwrap(), n * n);
        assert!(read.get() <= n + 11, "{} read, {} taken", read.get(), n + 1);
    }
    drop(results);
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn imap_ends_with_its_input() {
    let pool = Pool::new(2).unwrap();
    let squares: Vec<u64> = pool.imap(square, 0..10_000).map(Result::unwrap).collect();
    assert!(squares.into_iter().eq((0..10_000).map(|n| n * n)));
    assert!(pool.imap(square, []).next().is_none());
    assert!(pool.imap_unordered(square, []).next().is_none());
}

#[test]
fn a_failing_item_gives_an_error_in_its_place() {
    let pool = Pool::new(2).unwrap();
    for (n, result) in (0..).zip(pool.imap(fail_odd, 0..200)) {
        match result {
            Ok(value) => assert!(value == n && n.is_multiple_of(2)),
            Err(JobError::Panicked(panic)) => assert_eq!(panic.message(), format!("{n} is odd")),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn unordered_results_do_not_wait_for_a_slow_one() {
    let pool = Pool::new(2).unwrap();
    let items = [200].into_iter().chain([0; 100]);
    let results: Vec<u64> = pool
        .imap_unordered(sleep_millis, items)
        .map(Result::unwrap)
        .collect();
    assert_eq!(results.len(), 101);
    assert_ne!(results[0], 200, "the slow one came first");
    let squares: BTreeSet<u64> = pool
        .imap_unordered(square, 0..5_000)
        .map(Result::unwrap)
        .collect();
    assert!(squares.into_iter().eq((0..5_000).map(|n| n * n)));
}

#[test]
fn imap_of_a_closed_pool_gives_errors_and_ends() {
    let pool = Pool::new(1).unwrap();
    pool.close();
    for results in [
        pool.imap(square, 0..100),
        pool.imap_unordered(square, 0..100),
    ] {
        let errors = results
            .filter(|result| matches!(result, Err(JobError::Closed)))
            .count();
        assert_eq!(errors, 100);
    }
}

#[test]
fn a_pool_that_ends_in_the_middle_of_an_imap_ends_each_item_once() {
    let pool = Pool::new(2).unwrap();
    let mut results = pool.imap_unordered(sleep_millis, [1; 1_000]).window(1_000);
    let mut seen = 1;
    results.next().unwrap().unwrap();
    pool.terminate();
    for result in results {
        assert!(matches!(result, Ok(1) | Err(JobError::Closed)));
        seen += 1;
    }
    assert_eq!(seen, 1_000);
}

#[test]
fn as_completed_returns_every_job_once_and_the_first_first() {
    let pool = Pool::new(2).unwrap();
    let mut jobs: Vec<_> = (0..200).map(|n| pool.submit(square, n)).collect();
    let folder = Folder::new();
    let mark = folder.path("begun");
    let slow = Pool::new(1).unwrap();
    // One that never ends: nothing must wait for it.
    let never = slow.submit(mark_and_sleep, mark.clone());
    let results: BTreeSet<u64> = procs::as_completed(jobs.drain(..))
        .map(|job| job.result().unwrap())
        .collect();
    assert!(results.into_iter().eq((0..200).map(|n| n * n)));
    let mut completed = procs::as_completed([never]);
    assert!(matches!(
        completed.next_for(Duration::from_millis(1)),
        Err(TimedOut)
    ));
    eventually("it has begun", || mark.exists());
    drop(slow);
    let job = completed.next_for(LIMIT).unwrap().expect("it has ended");
    assert_eq!(job.result(), Err(JobError::Closed));
    assert!(completed.next().is_none() && completed.next_for(LIMIT).unwrap().is_none());
}

#[test]
fn callbacks_are_called_once_and_their_panics_are_contained() {
    let pool = Pool::new(1).unwrap();
    let (sender, called) = mpsc::channel();
    let mut job = pool.submit(sleep_millis, 50);
    job.on_done(|| panic!("a bad callback"));
    let first = sender.clone();
    job.on_done(move || first.send("first").unwrap());
    assert_eq!(called.recv_timeout(LIMIT), Ok("first"));
    assert_eq!(job.result_for(LIMIT).unwrap(), 50);
    job.on_done(move || sender.send("late").unwrap());
    assert_eq!(called.recv_timeout(LIMIT), Ok("late"));
    assert!(
        called.recv_timeout(LIMIT).is_err(),
        "nobody is left to send"
    );
    assert_eq!(pool.apply(square, 2).unwrap(), 4);
}
