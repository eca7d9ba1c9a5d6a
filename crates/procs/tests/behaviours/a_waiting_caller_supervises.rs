//! Who waits in `apply` does the pool's work meanwhile: whatever else happens then is attended to, and is so afterwards.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use procs::{JobError, Pool, Shutdown};

use crate::common::{Folder, LIMIT, eventually, mark_and_sleep, signal};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

/// Says that it runs, and returns once it may.
#[procs::task]
fn run_until(begun: PathBuf, may_end: PathBuf) {
    fs::write(begun, "").expect("the folder is there");
    eventually("it may end", || may_end.exists());
}

/// Calls `meanwhile` while another thread waits in `apply`, and ends that job.
fn during_apply(pool: &Pool, meanwhile: impl FnOnce()) {
    let folder = Folder::new();
    let marks = || (folder.path("begun"), folder.path("may end"));
    // Both workers have said that they are there, so that the pool has nothing else to do.
    assert_eq!(pool.map_collect(square, 0..100).unwrap().len(), 100);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.apply(run_until, marks()));
        eventually("it runs", || folder.path("begun").exists());
        meanwhile();
        fs::write(folder.path("may end"), "").unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn other_jobs_are_run() {
    let pool = Pool::new(2).unwrap();
    during_apply(&pool, || {
        assert_eq!(pool.submit(square, 5).result_for(LIMIT).unwrap(), 25);
        assert_eq!(pool.apply(square, 6).unwrap(), 36);
        assert_eq!(pool.map_collect(square, 0..5_000).unwrap().len(), 5_000);
        let lazy = pool.imap(square, 0..500).map(Result::unwrap);
        assert_eq!(lazy.count(), 500);
    });
    assert_eq!(pool.apply(square, 7).unwrap(), 49);
}

#[test]
fn a_dead_worker_is_replaced() {
    let pool = Pool::new(2).unwrap();
    during_apply(&pool, || {
        // One runs the job and one has nothing to do; which is which shows when the job is not lost.
        let (idle, before) = (idle_worker(&pool), pool.workers());
        signal(idle, "KILL");
        eventually("it is replaced", || {
            let now = pool.workers();
            now.len() == 2 && now != before && now.iter().all(|worker| worker.pid() != idle)
        });
        assert_eq!(pool.submit(square, 5).result_for(LIMIT).unwrap(), 25);
    });
}

/// The worker that gets the next job, while the other one has one.
fn idle_worker(pool: &Pool) -> u32 {
    #[procs::task]
    fn pid() -> u32 {
        std::process::id()
    }
    pool.submit(pid, ()).result_for(LIMIT).unwrap()
}

#[test]
fn its_own_workers_death_is_told() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    let mark = folder.path("mark");
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.apply(mark_and_sleep, mark.clone()));
        eventually("it runs", || mark.exists());
        signal(pool.workers()[0].pid(), "KILL");
        let error = waiting.join().unwrap().unwrap_err();
        assert!(matches!(
            error,
            JobError::WorkerDied { status, .. } if status.signal() == Some(9)
        ));
    });
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

#[test]
fn what_it_leaves_open_is_ended_by_the_pool() {
    let (pool, folder) = (Pool::new(2).unwrap(), Folder::new());
    let marks = (folder.path("begun"), folder.path("may end"));
    let (send, slow) = mpsc::channel();
    during_apply(&pool, || {
        send.send(pool.submit(run_until, marks.clone())).unwrap();
        eventually("it runs", || marks.0.exists());
    });
    // Nobody waits in `apply` any more when this one ends.
    fs::write(&marks.1, "").unwrap();
    let mut slow = slow.recv().unwrap();
    eventually("it ends", || slow.is_done());
    slow.try_result().unwrap().unwrap();
}

#[test]
fn the_end_of_the_pool_ends_it() {
    for end in [Pool::terminate, |pool: &Pool| {
        pool.shutdown(Shutdown::Terminate);
    }] {
        let (pool, folder) = (Pool::new(2).unwrap(), Folder::new());
        let mark = folder.path("mark");
        assert_eq!(pool.apply(square, 3).unwrap(), 9);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.apply(mark_and_sleep, mark.clone()));
            eventually("it runs", || mark.exists());
            end(&pool);
            assert!(matches!(waiting.join().unwrap(), Err(JobError::Closed)));
        });
        assert!(matches!(pool.apply(square, 3), Err(JobError::Closed)));
    }
}

#[test]
fn many_callers_take_turns() {
    let pool = Pool::new(2).unwrap();
    thread::scope(|scope| {
        for caller in 0..8 {
            let pool = &pool;
            scope.spawn(move || {
                for n in 0..300 {
                    let n = caller * 1000 + n;
                    assert_eq!(pool.apply(square, n).unwrap(), n * n);
                }
            });
        }
    });
}
