//! A pool knows what it has done, tells how far it is, and lets workers go that have nothing to do.

use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use procs::{Pool, PoolStats, WaitFor, wait_for};

use crate::common::{Folder, LIMIT, eventually, mark_and_sleep, signal};

#[procs::task]
fn repeat(text: String, times: usize) -> String {
    assert!(times < 100, "too often");
    text.repeat(times)
}

#[test]
fn every_task_is_counted_once() {
    let folder = Folder::new();
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.stats().started, 2);
    let text = "x".repeat(1000);
    pool.map_collect(repeat, (0..200).map(|n| (text.clone(), n % 50)))
        .unwrap();
    assert!(pool.apply(repeat, (text, 100)).is_err());
    let job = pool.submit(mark_and_sleep, folder.path("mark"));
    eventually("it runs", || folder.path("mark").exists());
    let stats = pool.stats();
    assert_eq!((stats.completed, stats.failed), (200, 1));
    assert_eq!((stats.in_flight, stats.waiting), (1, 0));
    assert_eq!((stats.ended(), stats.submitted()), (201, 202));
    assert!(stats.bytes_sent > 200_000 && stats.bytes_received > 4 * 50 * 49 / 2 * 1000);

    for worker in pool.workers() {
        signal(worker.pid(), "KILL");
    }
    wait_for(&[job], WaitFor::All, LIMIT).unwrap();
    eventually("they are replaced", || {
        let stats = pool.stats();
        stats.started == 4 && stats.restarted == 2 && pool.workers().len() == 2
    });
    assert_eq!(pool.stats().failed, 2);
    assert!(format!("{pool:?}").contains("completed: 200"));
    pool.join();
    pool.submit(repeat, (String::new(), 1)).cancel();
    assert_eq!((pool.stats().failed, pool.stats().in_flight), (3, 0));
}

#[procs::task]
fn await_file(path: PathBuf) -> u32 {
    while !path.exists() {
        thread::sleep(Duration::from_millis(1));
    }
    process::id()
}

#[test]
fn cancelled_and_abandoned_jobs_have_failed() {
    let folder = Folder::new();
    let pool = Pool::new(1).unwrap();
    let submit = |_| pool.submit(await_file, folder.path("go"));
    let jobs: Vec<_> = (0..5).map(submit).collect();
    assert!(jobs[4].cancel());
    let stats = pool.stats();
    assert_eq!((stats.submitted(), stats.completed), (5, 0));
    pool.terminate();
    let stats = pool.stats();
    assert_eq!((stats.failed, stats.waiting, stats.in_flight), (5, 0, 0));
}

#[test]
fn progress_is_told_to_the_end() {
    let told = Arc::new(Mutex::new(Vec::<PoolStats>::new()));
    let list = Arc::clone(&told);
    let tell = move |stats| {
        list.lock().unwrap().push(stats);
        panic!("on purpose");
    };
    let builder = Pool::builder().workers(2);
    let pool = builder.progress(Duration::ZERO, tell).build().unwrap();
    for _ in 0..3 {
        pool.map_collect(repeat, (0..500).map(|_| ("ab".to_owned(), 2)))
            .unwrap();
    }
    pool.join();
    let told = told.lock().unwrap();
    assert!(told.is_sorted_by_key(PoolStats::ended));
    assert!(told.len() >= 3, "only {} times", told.len());
    assert_eq!(told.last().unwrap().completed, 1500);
}

#[test]
fn progress_is_not_told_too_often() {
    let told = Arc::new(Mutex::new(Vec::<PoolStats>::new()));
    let list = Arc::clone(&told);
    let tell = move |stats| list.lock().unwrap().push(stats);
    let builder = Pool::builder().workers(2);
    let pool = builder.progress(LIMIT, tell).build().unwrap();
    let items = (0..20_000).map(|_| ("ab".to_owned(), 2));
    pool.map_collect(repeat, items).unwrap();
    pool.join();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(told.last().unwrap().completed, 20_000);
}

#[test]
fn idle_workers_go_and_come_back() {
    let folder = Folder::new();
    let builder = Pool::builder().workers(3);
    let pool = builder
        .idle_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    for round in 1..=3 {
        eventually("they go", || pool.workers().is_empty());
        assert_eq!(pool.stats().restarted, 0);
        let path = folder.path(&format!("go {round}"));
        let jobs: Vec<_> = (0..3)
            .map(|_| pool.submit(await_file, path.clone()))
            .collect();
        eventually("they come", || pool.stats().in_flight == 3);
        assert_eq!(pool.workers().len(), 3);
        std::fs::write(path, "").unwrap();
        wait_for(&jobs, WaitFor::All, LIMIT).unwrap();
        assert_eq!(pool.apply(repeat, ("a".to_owned(), 2)).unwrap(), "aa");
    }
    pool.join();
    assert_eq!(pool.stats().completed, 12);
}

/// Who is let go as soon as there is nothing to do is also there when there is something, and when the pool is made.
#[test]
fn workers_without_any_patience_still_work() {
    for _ in 0..5 {
        let builder = Pool::builder().workers(3);
        let pool = builder.idle_timeout(Duration::ZERO).build().unwrap();
        for _ in 0..5 {
            let mut job = pool.submit(repeat, ("a".to_owned(), 3));
            assert_eq!(job.result_for(LIMIT).unwrap(), "aaa");
        }
        pool.join_for(LIMIT).unwrap();
    }
}
