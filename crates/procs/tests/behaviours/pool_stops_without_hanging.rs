//! However a pool ends, it ends, and so does every job.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use procs::{Job, JobError, Pool, Shutdown, SpawnError, StartError, TimedOut};

use crate::common::{Folder, LIMIT, eventually, is_running, mark_and_sleep, run_program, signal};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

#[procs::task]
fn sleep_for_ever() {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Runs something that must not hang.
fn bounded<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(what()));
    result.recv_timeout(LIMIT).expect("it hangs")
}

#[test]
fn join_finishes_everything_first() {
    let pool = Pool::new(2).unwrap();
    let jobs: Vec<_> = (0..5_000).map(|n| pool.submit(square, n)).collect();
    let workers = pool.workers();
    let pool = bounded(move || {
        pool.join();
        pool
    });
    assert!(jobs.iter().all(Job::is_done));
    assert!(workers.iter().all(|worker| !is_running(worker.pid())));
    assert!(pool.workers().is_empty());
    for (n, job) in (0..).zip(jobs) {
        assert_eq!(job.result().unwrap(), n * n);
    }
}

#[test]
fn a_closed_pool_refuses_and_finishes() {
    let pool = Pool::new(1).unwrap();
    let mut before = pool.submit(square, 2);
    pool.close();
    pool.close();
    let mut after = pool.submit(square, 3);
    assert_eq!(after.result_for(LIMIT), Err(JobError::Closed));
    assert_eq!(before.result_for(LIMIT).unwrap(), 4);
    assert_eq!(pool.map_collect(square, [1, 2]), Err(JobError::Closed));
    assert_eq!(pool.join_for(LIMIT), Ok(()));
}

#[test]
fn a_worker_that_dies_while_the_pool_closes_is_replaced_for_what_waits() {
    let pool = Pool::new(1).unwrap();
    let folder = Folder::new();
    let mark = folder.path("begun");
    let mut lost = pool.submit(mark_and_sleep, mark.clone());
    let mut waiting: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
    eventually("the first task runs", || mark.exists());
    pool.close();
    signal(pool.workers()[0].pid(), "KILL");
    assert!(matches!(
        lost.result_for(LIMIT),
        Err(JobError::WorkerDied { .. })
    ));
    for (n, job) in (0..).zip(&mut waiting) {
        assert_eq!(job.result_for(LIMIT).unwrap(), n * n);
    }
    assert_eq!(pool.join_for(LIMIT), Ok(()));
}

#[test]
fn terminate_drop_and_shutdown_fail_what_is_left_and_leave_no_process() {
    for stop in [
        |pool: &Pool| pool.terminate(),
        |pool: &Pool| pool.shutdown(Shutdown::Terminate),
        |pool: &Pool| {
            let time = Duration::from_millis(20);
            assert_eq!(pool.shutdown_for(Shutdown::Wait, time), Err(TimedOut));
            assert_eq!(pool.shutdown_for(Shutdown::Terminate, LIMIT), Ok(()));
        },
        |_: &Pool| {},
    ] {
        let pool = Pool::new(2).unwrap();
        let mut jobs: Vec<_> = (0..50).map(|_| pool.submit(sleep_for_ever, ())).collect();
        eventually("a task runs", || jobs[0].is_running());
        let workers = pool.workers();
        bounded(move || stop(&pool));
        for job in &mut jobs {
            assert_eq!(job.result_for(LIMIT), Err(JobError::Closed));
        }
        assert!(workers.iter().all(|worker| !is_running(worker.pid())));
    }
}

/// The kill ends the program first, so that the task returns before its worker dies.
#[test]
fn a_task_that_returns_because_its_program_was_killed_by_terminate_has_no_result() {
    let folder = Folder::new();
    for round in 0..5 {
        let pool = Pool::new(1).unwrap();
        let mark = folder.path(&round.to_string());
        let done = pool.submit(square, round);
        let mut job = pool.submit(run_program, mark.clone());
        eventually("the program runs", || mark.exists());
        pool.terminate();
        assert_eq!(job.result_for(LIMIT), Err(JobError::Closed));
        assert_eq!(done.result(), Ok(round * round));
    }
}

#[test]
fn a_pool_needs_a_worker() {
    assert!(matches!(Pool::new(0), Err(SpawnError::NoWorkers)));
}

#[test]
fn an_initializer_that_fails_breaks_the_pool_and_no_storm_follows() {
    #[procs::task]
    fn fail() {
        panic!("no model file");
    }
    let pool = Pool::builder().workers(2).initializer(fail, ()).build();
    let error = match pool {
        // The workers answer before they run their initializers, so the pool may or may not be there already.
        Ok(pool) => match pool.submit(square, 1).result_for(LIMIT) {
            Err(JobError::Broken(error)) => error,
            other => panic!("{other:?}"),
        },
        Err(SpawnError::Start(error)) => error,
        Err(error) => panic!("{error}"),
    };
    assert!(matches!(error, StartError::Initializer(panic) if panic.message() == "no model file"));
}

#[test]
fn jobs_of_a_dropped_pool_are_not_waited_for_in_vain() {
    let pool = Pool::new(1).unwrap();
    let job = pool.submit(sleep_for_ever, ());
    let waiter = thread::spawn(move || job.result());
    drop(pool);
    assert_eq!(
        bounded(move || waiter.join().unwrap()),
        Err(JobError::Closed)
    );
}
