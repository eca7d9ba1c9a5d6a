//! Whatever way a job ends: its room, its wakers and its workers are given back, and all parties see the same end.

use crate::common::{LONG, SHORT, within_limit};
use crate::futures::block_on;
use std::future::Future;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use threads::{Event, Job, JobError, Pool, PoolShutdown, TimedOut, WaitFor, as_completed, wait};

/// A pool of one whose worker is busy until the event is set.
fn busy_pool(bound: usize) -> (Pool, Arc<Event>) {
    let pool = Pool::builder().workers(1).queue_bound(bound);
    let pool = pool.build().unwrap();
    let (gate, running) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let (opened, started) = (gate.clone(), running.clone());
    drop(pool.submit(move || {
        started.set();
        opened.wait();
    }));
    running.wait();
    (pool, gate)
}

#[test]
fn a_cancelled_job_gives_its_room_back() {
    within_limit(|| {
        let (pool, gate) = busy_pool(1);
        for _ in 0..3 {
            let queued = pool.try_submit(|| ()).expect("room");
            assert!(pool.try_submit(|| ()).is_err());
            assert!(queued.cancel());
        }
        gate.set();
        pool.shutdown(PoolShutdown::Wait);
    });
}

#[test]
fn a_job_run_by_its_waiter_gives_its_room_back() {
    within_limit(|| {
        let (pool, gate) = busy_pool(1);
        for n in 0..3 {
            let queued = pool.try_submit(move || n).expect("room");
            assert_eq!(queued.result_here().unwrap(), n);
        }
        gate.set();
        pool.shutdown(PoolShutdown::Wait);
    });
}

#[test]
fn a_submitter_that_waits_gets_the_room_of_a_cancelled_job() {
    within_limit(|| {
        let (pool, gate) = busy_pool(1);
        let queued = pool.submit(|| ());
        let other = pool.clone();
        let mut waiting = threads::spawn(move || other.submit(|| 3)).unwrap();
        assert!(queued.cancel());
        let job = waiting.join_for(LONG).unwrap();
        gate.set();
        assert_eq!(job.result().unwrap(), 3);
    });
}

/// Four items, and a note when all were read, and so all but the last chunk submitted.
fn items(read: &Arc<Event>) -> impl Iterator<Item = u32> + Send + use<> {
    let read = read.clone();
    (0..4).chain(std::iter::from_fn(move || {
        read.set();
        None
    }))
}

#[test]
fn cancelled_items_say_so_in_every_form_of_map() {
    type Results = Box<dyn Iterator<Item = Result<u32, JobError>> + Send>;
    let forms: [fn(&Pool, &Arc<Event>) -> Results; 3] = [
        |pool, read| Box::new(pool.map(|n| n, items(read))),
        |pool, read| Box::new(pool.map(|n| n, items(read)).unordered()),
        |pool, read| Box::new(pool.map(|n| n, items(read)).chunks(2)),
    ];
    within_limit(move || {
        for form in forms {
            let (pool, gate) = busy_pool(100);
            let read = Arc::new(Event::new());
            let results = form(&pool, &read);
            let mut reader = threads::spawn(move || results.collect::<Vec<_>>()).unwrap();
            read.wait();
            let closer = pool.clone();
            let mut closing =
                threads::spawn(move || closer.shutdown(PoolShutdown::CancelPending)).unwrap();
            let results = reader.join().unwrap();
            gate.set();
            closing.join().unwrap();
            assert_eq!(results.len(), 4);
            for result in results {
                assert!(matches!(result, Err(JobError::Cancelled)), "{result:?}");
            }
        }
    });
}

#[test]
fn a_job_of_the_own_pool_can_be_awaited_in_a_pool_of_one() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let inner = pool.clone();
        let mut outer = pool.submit(move || block_on(inner.submit(|| 7)).unwrap());
        assert_eq!(outer.result_for(Duration::from_secs(5)).unwrap(), 7);
    });
}

struct NoWake;

impl Wake for NoWake {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_job_that_is_polled_again_keeps_the_newest_waker_only() {
    within_limit(|| {
        let (pool, gate) = busy_pool(10);
        let mut queued = pool.submit(|| ());
        let wakers: Vec<_> = (0..100).map(|_| Arc::new(NoWake)).collect();
        for waker in &wakers {
            let waker = Waker::from(waker.clone());
            let poll = Pin::new(&mut queued).poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending());
        }
        let kept = wakers.iter().filter(|waker| Arc::strong_count(waker) > 1);
        assert_eq!(kept.count(), 1);
        gate.set();
        queued.result().unwrap();
    });
}

#[test]
fn every_shutdown_that_waits_returns_after_the_last_hook() {
    within_limit(|| {
        let (stopping, gate) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (in_hook, opened) = (stopping.clone(), gate.clone());
        let on_stop = move || {
            in_hook.set();
            opened.wait();
        };
        let pool = Pool::builder().workers(1).on_stop(on_stop).build().unwrap();
        let mut closers: Vec<_> = (0..2)
            .map(|_| pool.clone())
            .map(|pool| threads::spawn(move || pool.shutdown(PoolShutdown::Wait)).unwrap())
            .collect();
        stopping.wait();
        assert_eq!(pool.join_for(SHORT), Err(TimedOut));
        for closer in &mut closers {
            assert!(closer.join_for(SHORT).is_err(), "returned before the hook");
        }
        gate.set();
        for mut closer in closers {
            closer.join().unwrap();
        }
        pool.join_for(LONG).unwrap();
    });
}

/// Asks its own job, as it is dropped, whether that runs.
struct Probe {
    job: Arc<OnceLock<Job<()>>>,
    running: Arc<AtomicBool>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let running = self.job.get().is_some_and(Job::is_running);
        self.running.store(running, Ordering::SeqCst);
    }
}

#[test]
fn a_job_that_is_being_cancelled_does_not_run() {
    within_limit(|| {
        let (pool, gate) = busy_pool(10);
        let (job, running) = (Arc::new(OnceLock::new()), Arc::new(AtomicBool::new(false)));
        let probe = Probe {
            job: job.clone(),
            running: running.clone(),
        };
        let queued = pool.submit(move || drop(probe));
        assert!(job.set(queued).is_ok());
        assert!(job.get().unwrap().cancel());
        assert!(!running.load(Ordering::SeqCst), "it claimed to run");
        gate.set();
        pool.shutdown(PoolShutdown::Wait);
    });
}

#[test]
fn absurd_sizes_are_errors_or_count_as_the_largest_allowed() {
    within_limit(|| {
        for workers in [1 << 16, usize::MAX] {
            let refused = catch_unwind(|| Pool::builder().workers(workers).build().unwrap_err());
            refused.expect("an error, no panic");
        }
        let pool = Pool::builder().workers(1).queue_bound(usize::MAX).build();
        let pool = pool.unwrap();
        let chunk = pool.map(|n: u64| n, 0..u64::MAX).chunks(usize::MAX).next();
        assert_eq!(chunk.unwrap().unwrap(), 0);
        let all = pool.map(|n: u64| n, 0..100).window(usize::MAX);
        assert_eq!(all.map(Result::unwrap).sum::<u64>(), 4950);
        let all = pool.map(|n: u64| n, 0..100).unordered().window(usize::MAX);
        assert_eq!(all.map(Result::unwrap).sum::<u64>(), 4950);
    });
}

#[test]
fn a_worker_waits_for_jobs_that_others_have_run_meanwhile() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let inner = pool.clone();
        let outer = pool.submit(move || {
            let jobs: Vec<_> = (0..20).map(|n| inner.submit(move || n)).collect();
            assert!(jobs[3].cancel());
            wait(&jobs, WaitFor::FirstError);
            wait(&jobs, WaitFor::All);
            as_completed(jobs)
                .filter_map(|job| job.result().ok())
                .sum::<u32>()
        });
        assert_eq!(outer.result().unwrap(), 190 - 3);
    });
}
