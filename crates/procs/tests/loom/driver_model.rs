//! Who drives a pool: its thread or a caller of `apply`. A job that nobody drives leaves its caller asleep, which loom
//! reports as a deadlock.

use loom::thread::{self, JoinHandle};

use crate::error::JobError;
use crate::explore;
use crate::pool::Pool;
use crate::pool::supervisor::Workers;

const LONE: Workers = Workers {
    together: 1,
    short: false,
};

fn start(workers: Workers) -> (Pool, JoinHandle<()>) {
    let pool = Pool::new(workers);
    let supervised = pool.clone();
    (pool, thread::spawn(move || supervised.supervise()))
}

fn end(pool: &Pool, supervisor: JoinHandle<()>) {
    pool.close();
    pool.join();
    supervisor.join().unwrap();
}

#[test]
fn a_callers_job_ends_and_the_pools_thread_goes_on() {
    for short in [false, true] {
        explore(4, move || {
            let (pool, supervisor) = start(Workers { short, ..LONE });
            assert_eq!(pool.apply(), Ok(()));
            assert_eq!(pool.submit().result(), Ok(()));
            end(&pool, supervisor);
        });
    }
}

#[test]
fn jobs_of_two_callers_end() {
    explore(3, || {
        let (pool, supervisor) = start(LONE);
        let theirs = pool.clone();
        let caller = thread::spawn(move || theirs.apply());
        assert_eq!(pool.apply(), Ok(()));
        assert_eq!(caller.join().unwrap(), Ok(()));
        end(&pool, supervisor);
    });
}

#[test]
fn a_caller_that_drives_hands_out_the_jobs_of_others() {
    explore(3, || {
        // Neither task ends before both have begun.
        let (pool, supervisor) = start(Workers {
            together: 2,
            ..LONE
        });
        let theirs = pool.clone();
        let caller = thread::spawn(move || theirs.apply());
        let job = pool.submit();
        assert_eq!(job.result(), Ok(()));
        assert_eq!(caller.join().unwrap(), Ok(()));
        end(&pool, supervisor);
    });
}

#[test]
fn two_callers_whose_tasks_wait_for_each_other_end() {
    explore(3, || {
        let (pool, supervisor) = start(Workers {
            together: 2,
            ..LONE
        });
        let theirs = pool.clone();
        let caller = thread::spawn(move || theirs.apply());
        assert_eq!(pool.apply(), Ok(()));
        assert_eq!(caller.join().unwrap(), Ok(()));
        end(&pool, supervisor);
    });
}

#[test]
fn a_pool_that_is_closed_meanwhile_ends() {
    explore(3, || {
        let (pool, supervisor) = start(LONE);
        let theirs = pool.clone();
        let caller = thread::spawn(move || theirs.apply());
        end(&pool, supervisor);
        let result = caller.join().unwrap();
        assert!(matches!(result, Ok(()) | Err(JobError::Closed)));
    });
}
