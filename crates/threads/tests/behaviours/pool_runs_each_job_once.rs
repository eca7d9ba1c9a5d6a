//! Every job of a pool ends exactly once: with a value, a panic, a cancellation or a refusal.

use crate::common::{LONG, SHORT, within_limit};
use crate::futures::block_on;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Instant;
use threads::{Job, JobEnd, JobError, Lock, Pool, PoolShutdown, Queue, Shutdown, TimedOut};

/// A pool of one whose worker is busy until the queue is shut down.
fn busy_pool() -> (Pool, Queue<()>, Job<()>) {
    let pool = Pool::new(1).unwrap();
    let gate = Queue::<()>::bounded(1);
    let (started, opened) = (gate.clone(), gate.clone());
    let job = pool.submit(move || {
        started.put(()).unwrap();
        while !opened.is_closed() {
            std::thread::yield_now();
        }
    });
    gate.get().unwrap();
    (pool, gate, job)
}

#[test]
fn every_job_gives_its_own_result() {
    within_limit(|| {
        let pool = Pool::new(3).unwrap();
        let jobs: Vec<_> = (0..1000).map(|n| pool.submit(move || n * 2)).collect();
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.result().unwrap(), n * 2);
        }
    });
}

#[test]
fn a_panic_fails_only_its_job() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let bad = pool.submit(|| panic!("job {}", 1));
        let good = pool.submit(|| 2);
        let Err(JobError::Panicked(panic)) = bad.result() else {
            panic!("a value");
        };
        assert_eq!(panic.message(), "job 1");
        assert_eq!(good.result().unwrap(), 2);
    });
}

#[test]
fn a_result_has_a_time_limit_and_is_given_once() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let mut queued = pool.submit(|| 5);
        let start = Instant::now();
        assert!(matches!(queued.result_for(SHORT), Err(JobError::TimedOut)));
        assert!(start.elapsed() >= SHORT);
        assert!(matches!(
            queued.result_until(start),
            Err(JobError::TimedOut)
        ));
        assert!(queued.try_result().is_none());
        assert!(running.is_running() && !queued.is_running() && !queued.is_done());
        gate.shutdown(Shutdown::Drain);
        assert_eq!(queued.result_for(LONG).unwrap(), 5);
        assert!(queued.is_done());
        assert!(matches!(
            queued.try_result(),
            Some(Err(JobError::AlreadyTaken))
        ));
        running.result().unwrap();
    });
}

#[test]
fn a_queued_job_can_be_cancelled_and_a_running_one_cannot() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let captured = Arc::new(());
        let held = captured.clone();
        let queued = pool.submit(move || drop(held));
        assert!(queued.cancel());
        assert_eq!(Arc::strong_count(&captured), 1);
        assert!(queued.is_done() && !queued.cancel());
        assert!(!running.cancel());
        assert!(matches!(queued.result(), Err(JobError::Cancelled)));
        gate.shutdown(Shutdown::Drain);
        running.result().unwrap();
    });
}

#[test]
fn callbacks_run_once_in_order_and_none_is_skipped() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let calls = Arc::new(Lock::new(Vec::new()));
        let job = pool.submit(|| ());
        for n in 0..3 {
            let calls = calls.clone();
            job.on_end(move |end| {
                calls.lock().push((n, end));
                assert_ne!(n, 1, "a callback that panics");
            });
        }
        gate.shutdown(Shutdown::Drain);
        running.result().unwrap();
        // Ends the worker, and with it every callback.
        pool.shutdown(PoolShutdown::Wait);
        let late = calls.clone();
        job.on_end(move |end| late.lock().push((3, end)));
        let expected: Vec<_> = (0..4).map(|n| (n, JobEnd::Finished)).collect();
        assert_eq!(*calls.lock(), expected);
    });
}

#[test]
fn callbacks_hear_how_the_job_ended() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let ends = Arc::new(Lock::new(Vec::new()));
        let note = |job: &Job<()>| {
            let ends = ends.clone();
            job.on_end(move |end| ends.lock().push(end));
        };
        let cancelled = pool.submit(|| ());
        note(&cancelled);
        cancelled.cancel();
        let panicked = pool.submit(|| panic!("on purpose"));
        note(&panicked);
        gate.shutdown(Shutdown::Drain);
        running.result().unwrap();
        pool.shutdown(PoolShutdown::Wait);
        note(&pool.submit(|| ()));
        assert_eq!(
            *ends.lock(),
            [JobEnd::Cancelled, JobEnd::Panicked, JobEnd::Closed]
        );
    });
}

#[test]
fn nested_jobs_do_not_block_a_pool_of_one() {
    fn nest(pool: &Pool, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let inner = pool.clone();
        pool.submit(move || nest(&inner, depth - 1))
            .result()
            .unwrap()
            + 1
    }
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let outer = pool.clone();
        let job = pool.submit(move || nest(&outer, 200));
        assert_eq!(job.result().unwrap(), 200);
    });
}

#[test]
fn a_waiting_worker_runs_no_other_job() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let inner = pool.clone();
        let order = Arc::new(Lock::new(Vec::new()));
        let log = order.clone();
        let outer = pool.submit(move || {
            // A job that took this lock on this thread would wait for ever.
            let held = log.lock();
            let other_log = log.clone();
            let other = inner.submit(move || other_log.lock().push("other"));
            let awaited = inner.submit(|| "awaited").result().unwrap();
            let mut held = held;
            held.push(awaited);
            other
        });
        outer.result().unwrap().result().unwrap();
        assert_eq!(*order.lock(), ["awaited", "other"]);
    });
}

#[test]
fn shutdown_waits_for_what_is_queued() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..500 {
            let count = count.clone();
            drop(pool.submit(move || count.fetch_add(1, Ordering::Relaxed)));
        }
        pool.shutdown(PoolShutdown::Wait);
        assert_eq!(count.load(Ordering::Relaxed), 500);
        assert!(matches!(pool.submit(|| ()).result(), Err(JobError::Closed)));
        pool.shutdown(PoolShutdown::Wait);
    });
}

#[test]
fn dropping_the_last_handle_waits_too() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let jobs: Vec<_> = (0..100).map(|n| pool.submit(move || n)).collect();
        drop(pool);
        assert!(jobs.iter().all(Job::is_done));
    });
}

#[test]
fn a_worker_may_drop_the_last_handle() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let (gate, passed) = (Queue::bounded(1), Queue::bounded(1));
        let (opened, done) = (gate.clone(), passed.clone());
        let inner = pool.clone();
        let job = pool.submit(move || {
            opened.get().unwrap();
            drop(inner);
            done.put(()).unwrap();
        });
        drop(pool);
        gate.put(()).unwrap();
        passed.get().unwrap();
        job.result().unwrap();
    });
}

#[test]
fn detaching_does_not_wait_and_cancelling_spares_what_runs() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let queued = pool.submit(|| 1);
        pool.close();
        assert_eq!(pool.join_for(SHORT), Err(TimedOut));
        assert!(!queued.is_done());
        gate.shutdown(Shutdown::Drain);
        pool.join_for(LONG).unwrap();
        assert_eq!(queued.result().unwrap(), 1);
        running.result().unwrap();

        let (pool, gate, running) = busy_pool();
        let queued = pool.submit(|| 1);
        queued.on_end(move |_| drop(gate.shutdown(Shutdown::Drain)));
        pool.shutdown(PoolShutdown::CancelPending);
        assert!(matches!(queued.result(), Err(JobError::Cancelled)));
        running.result().unwrap();
    });
}

#[test]
fn no_job_is_lost_when_submission_and_shutdown_meet() {
    within_limit(|| {
        for _ in 0..200 {
            let pool = Pool::new(2).unwrap();
            let submitter = pool.clone();
            let start = Arc::new(Barrier::new(2));
            let ready = start.clone();
            let mut thread = threads::spawn(move || {
                ready.wait();
                (0..50)
                    .map(|n| submitter.submit(move || n))
                    .collect::<Vec<_>>()
            })
            .unwrap();
            start.wait();
            pool.shutdown(PoolShutdown::Wait);
            for (n, mut job) in thread.join().unwrap().into_iter().enumerate() {
                match job.result_for(LONG) {
                    Ok(value) => assert_eq!(value, n),
                    Err(error) => assert!(matches!(error, JobError::Closed), "{error:?}"),
                }
            }
        }
    });
}

#[test]
fn sleeping_workers_are_woken_for_each_new_job() {
    within_limit(|| {
        let pool = Pool::new(3).unwrap();
        let start = Arc::new(Barrier::new(3));
        for _ in 0..300 {
            // Three jobs that end only together: each needs a worker of its own.
            let jobs: Vec<_> = (0..3)
                .map(|_| start.clone())
                .map(|start| pool.submit(move || start.wait().is_leader()))
                .collect();
            let leaders = jobs.into_iter().filter_map(|job| job.result().ok());
            assert_eq!(leaders.filter(|leader| *leader).count(), 1);
        }
    });
}

#[test]
fn map_keeps_the_order_and_reads_no_further_than_its_buffer() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let read = Arc::new(AtomicUsize::new(0));
        let counter = read.clone();
        let endless = std::iter::repeat_with(move || counter.fetch_add(1, Ordering::Relaxed));
        let mut squares = pool.map(|n| n * n, endless).window(3);
        assert_eq!(read.load(Ordering::Relaxed), 0);
        for n in 0..100 {
            assert_eq!(squares.next().unwrap().unwrap(), n * n);
            assert_eq!(read.load(Ordering::Relaxed), n + 3);
        }
    });
}

#[test]
fn map_goes_on_after_a_panic() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let results = pool.map(|n: u8| if n == 1 { panic!("one") } else { n }, 0..3);
        let results: Vec<_> = results.map(|result| result.ok()).collect();
        assert_eq!(results, [Some(0), None, Some(2)]);
    });
}

#[test]
fn dropping_a_map_cancels_what_has_not_started() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = ran.clone();
        let mut map = pool.map(move |()| counter.fetch_add(1, Ordering::Relaxed), [(); 5]);
        let opener = gate.clone();
        let first = threads::spawn(move || opener.shutdown(Shutdown::Drain));
        assert_eq!(map.next().unwrap().unwrap(), 0);
        drop(map);
        first.unwrap().join().unwrap();
        running.result().unwrap();
        pool.shutdown(PoolShutdown::Wait);
        assert!(ran.load(Ordering::Relaxed) <= 5);
    });
}

#[test]
fn a_job_can_be_awaited() {
    within_limit(|| {
        let (pool, gate, running) = busy_pool();
        let queued = pool.submit(|| 3);
        let mut opener = threads::spawn(move || drop(gate.shutdown(Shutdown::Drain))).unwrap();
        assert_eq!(block_on(async { queued.await.unwrap() + 1 }), 4);
        block_on(running).unwrap();
        opener.join().unwrap();
    });
}

#[test]
fn workers_are_named_and_reused() {
    within_limit(|| {
        let pool = Pool::builder().workers(2).name("named").build().unwrap();
        assert_eq!((pool.name(), pool.max_workers()), ("named", 2));
        let names: HashSet<_> = (0..50)
            .map(|_| {
                pool.submit(|| threads::current().name().to_owned())
                    .result()
                    .unwrap()
            })
            .collect();
        let allowed = HashSet::from(["named-0".to_owned(), "named-1".to_owned()]);
        assert!(names.is_subset(&allowed), "{names:?}");
        assert!(!pool.is_closed());
        pool.join_for(LONG).unwrap();
        assert!(pool.is_closed() && pool.workers().is_empty());
    });
}
