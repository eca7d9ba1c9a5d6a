//! A promise gives a job its result, from whatever thread, once.

use crate::common::{LONG, SHORT, within_limit};
use crate::futures::block_on;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use threads::{JobEnd, JobError, Pool, Queue, WaitFor, as_completed, promise, wait_any, wait_for};

#[test]
fn a_value_arrives_in_every_way_of_asking() {
    within_limit(|| {
        let (kept, mut job) = promise();
        assert!(job.try_result().is_none());
        assert!(matches!(job.result_for(SHORT), Err(JobError::TimedOut)));
        let mut giver = threads::spawn(move || kept.set(1)).unwrap();
        assert_eq!(job.result_for(LONG).unwrap(), 1);
        giver.join().unwrap().unwrap();

        let (kept, job) = promise();
        let mut giver = threads::spawn(move || kept.set(2)).unwrap();
        assert_eq!(block_on(job).unwrap(), 2);
        giver.join().unwrap().unwrap();

        let (kept, job) = promise();
        let mut giver = threads::spawn(move || kept.set(3)).unwrap();
        assert_eq!(wait_any(&[&job]), 0);
        assert_eq!(as_completed([job]).next().unwrap().result().unwrap(), 3);
        giver.join().unwrap().unwrap();

        let (kept, job) = promise();
        let results = Queue::unbounded();
        let sink = results.clone();
        job.on_done(move |result| sink.put(result).unwrap());
        kept.set(4).unwrap();
        assert_eq!(results.get().unwrap().unwrap(), 4);
    });
}

#[test]
fn a_dropped_promise_is_an_error_also_by_a_panic() {
    within_limit(|| {
        let (broken, job) = promise::<u8>();
        let ends = Queue::unbounded();
        let log = ends.clone();
        job.on_end(move |end| log.put(end).unwrap());
        let mut thread = threads::spawn(move || {
            let _held = broken;
            panic!("before the value came");
        })
        .unwrap();
        assert!(matches!(job.result(), Err(JobError::BrokenPromise)));
        assert_eq!(ends.get(), Ok(JobEnd::BrokenPromise));
        assert!(thread.join().is_err());
        let (_kept, pending) = promise::<u8>();
        assert!(wait_for(&[pending], WaitFor::All, SHORT).is_err());
    });
}

#[test]
fn a_cancelled_job_gives_the_value_back() {
    let (kept, job) = promise();
    assert!(job.cancel() && kept.is_cancelled());
    assert_eq!(kept.set("late"), Err("late"));
    assert!(matches!(job.result(), Err(JobError::Cancelled)));

    let (mut kept, job) = promise();
    assert!(!kept.is_cancelled() && !job.is_running());
    assert!(kept.start() && kept.start());
    assert!(job.is_running() && !job.cancel() && !kept.is_cancelled());
    kept.set("in time").unwrap();
    assert_eq!(job.result_here().unwrap(), "in time");

    let (mut kept, job) = promise::<u8>();
    assert!(job.cancel() && !kept.start());
    drop(kept);
    assert!(matches!(job.result(), Err(JobError::Cancelled)));
}

#[test]
fn a_promise_has_no_function_that_a_waiter_could_run() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let (kept, job) = promise();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let waiting = pool.submit(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            job.result_here()
        });
        while calls.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        kept.set(5).unwrap();
        assert_eq!(waiting.result().unwrap().unwrap(), 5);
    });
}
