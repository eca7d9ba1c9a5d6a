//! A pool returns every result, where it belongs.

use std::collections::HashSet;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use procs::{JobError, Pool};

use crate::common::{LIMIT, eventually};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

#[procs::task]
fn worker_pid() -> u32 {
    process::id()
}

#[procs::task]
fn fail_odd(n: u32) -> u32 {
    assert!(n.is_multiple_of(2), "{n} is odd");
    n
}

#[procs::task]
fn sleep_millis(millis: u64) -> u32 {
    thread::sleep(Duration::from_millis(millis));
    process::id()
}

#[procs::task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[test]
fn map_returns_results_in_the_order_of_the_items() {
    let pool = Pool::new(2).unwrap();
    let squares = pool.map_collect(square, 0..50_000).unwrap();
    assert!(squares.into_iter().eq((0..50_000).map(|n| n * n)));
    assert!(pool.map_collect(square, []).unwrap().is_empty());
}

#[test]
fn map_runs_everything_and_returns_the_first_error() {
    let pool = Pool::new(2).unwrap();
    let Err(JobError::Panicked(panic)) = pool.map_collect(fail_odd, [0, 2, 5, 4, 7]) else {
        panic!("it did not fail")
    };
    assert_eq!(panic.message(), "5 is odd");
    assert!(panic.location().unwrap().contains("pool_keeps_order.rs"));
    assert_eq!(pool.apply(fail_odd, 8).unwrap(), 8);
}

#[test]
fn jobs_give_their_own_results_in_any_order() {
    let pool = Pool::new(2).unwrap();
    let jobs: Vec<_> = (0..2_000).map(|n| (n, pool.submit(square, n))).collect();
    for (n, job) in jobs.into_iter().rev() {
        assert_eq!(job.result().unwrap(), n * n);
    }
}

#[test]
fn all_workers_work() {
    let pool = Pool::new(3).unwrap();
    let pids: HashSet<u32> = pool
        .map_collect(sleep_millis, [30; 9])
        .unwrap()
        .into_iter()
        .collect();
    let workers: HashSet<u32> = pool.workers().iter().map(|worker| worker.pid()).collect();
    assert_eq!(pids, workers);
    assert!(!pids.contains(&process::id()));
}

#[test]
fn short_tasks_do_not_wait_behind_a_long_one() {
    let pool = Pool::new(2).unwrap();
    // Teaches the pool that tasks are short, so that it gives many to each worker at once.
    pool.map_collect(sleep_millis, [0; 2_000]).unwrap();
    let mut items = vec![0; 400];
    items[100] = 3_600_000;
    let mut jobs: Vec<_> = items
        .into_iter()
        .map(|millis| pool.submit(sleep_millis, millis))
        .collect();
    let _long = jobs.remove(100);
    for mut job in jobs {
        job.result_for(LIMIT).unwrap();
    }
}

#[test]
fn large_values_go_both_ways_at_once() {
    let pool = Pool::new(2).unwrap();
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| n as u8).collect();
    let jobs: Vec<_> = (0..16).map(|_| pool.submit(echo, bytes.clone())).collect();
    for mut job in jobs {
        assert!(job.result_for(LIMIT).unwrap() == bytes);
    }
}

#[test]
fn a_job_tells_how_far_it_is() {
    let pool = Pool::new(1).unwrap();
    let mut running = pool.submit(sleep_millis, 3_600_000);
    let mut waiting = pool.submit(sleep_millis, 0);
    eventually("the first job runs", || running.is_running());
    assert!(running.try_result().is_none() && !running.is_done());
    assert_eq!(
        running.result_for(Duration::from_millis(1)),
        Err(JobError::TimedOut)
    );
    assert!(!running.cancel(), "a running job cannot be cancelled");
    assert!(!waiting.is_running());
    assert!(waiting.cancel());
    assert!(waiting.is_done() && !waiting.cancel());
    assert_eq!(waiting.result_for(LIMIT), Err(JobError::Cancelled));
    assert_eq!(waiting.try_result(), Some(Err(JobError::AlreadyTaken)));
}

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn a_job_is_a_future() {
    let pool = Pool::new(1).unwrap();
    let mut job = pin!(pool.submit(sleep_millis, 20));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let result = loop {
        match job.as_mut().poll(&mut context) {
            Poll::Ready(result) => break result,
            Poll::Pending => thread::park_timeout(LIMIT),
        }
    };
    assert_ne!(result.unwrap(), process::id());
}

#[test]
fn pools_nest() {
    #[procs::task]
    fn sum_of_squares(n: u64) -> u64 {
        let pool = Pool::new(2).expect("a worker may have a pool");
        pool.map_collect(square, 0..n)
            .expect("its tasks run")
            .into_iter()
            .sum()
    }
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.map_collect(sum_of_squares, [3, 4]).unwrap(), [5, 14]);
}

#[test]
fn the_initializer_runs_once_in_every_worker() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static SUM: AtomicU64 = AtomicU64::new(0);
    #[procs::task]
    fn prepare(a: u64, b: u64) {
        SUM.fetch_add(a + b, Relaxed);
    }
    #[procs::task]
    fn read() -> u64 {
        thread::sleep(Duration::from_millis(5));
        SUM.load(Relaxed)
    }
    let pool = Pool::builder()
        .workers(2)
        .initializer(prepare, (3, 4))
        .build()
        .unwrap();
    assert_eq!(pool.map_collect(read, [(); 8]).unwrap(), [7; 8]);
    assert_eq!(SUM.load(Relaxed), 0, "the parent's memory is its own");
}

#[test]
fn a_worker_is_replaced_after_its_share_of_tasks() {
    let pool = Pool::builder()
        .workers(2)
        .max_tasks_per_worker(3)
        .build()
        .unwrap();
    let pids = pool.map_collect(worker_pid, [(); 30]).unwrap();
    for pid in &pids {
        assert!(
            pids.iter().filter(|other| *other == pid).count() <= 3,
            "{pid} did too much in {pids:?}"
        );
    }
    pool.join();
}

/// A text of up to 60,000 bytes.
#[procs::task]
fn text(n: usize) -> String {
    format!("{n:08}").repeat(n * 7919 % 7500)
}

/// Small results are looked up in the worker's page, large ones only come through its socket.
#[test]
fn results_of_mixed_sizes_arrive_whole() {
    let pool = Pool::new(2).unwrap();
    let texts = pool.map_collect(text, 0..2000).unwrap();
    assert!(texts.into_iter().eq((0..2000).map(*text)));
}
