//! Several jobs at once, borrowed data, hooks, bounds and idle workers.

use crate::common::{LONG, SHORT, within_limit};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use threads::{
    Barrier, Event, Job, JobError, Latch, Pool, PoolShutdown, SubmitError, TimedOut, WaitFor,
    as_completed, wait, wait_for,
};

/// A pool of one whose worker is busy until the event is set.
fn busy_pool(bound: usize) -> (Pool, Arc<Event>) {
    let pool = Pool::builder()
        .workers(1)
        .queue_bound(bound)
        .build()
        .unwrap();
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
fn a_result_asked_for_here_is_made_here_or_waited_for() {
    within_limit(|| {
        let (pool, gate) = busy_pool(usize::MAX);
        let here = std::thread::current().id();
        let queued = pool.submit(|| std::thread::current().id());
        assert_eq!(queued.result_here().unwrap(), here);
        let bad = pool.submit(|| panic!("here too"));
        assert!(matches!(bad.result_here(), Err(JobError::Panicked(_))));
        let cancelled = pool.submit(|| ());
        assert!(cancelled.cancel());
        assert!(matches!(cancelled.result_here(), Err(JobError::Cancelled)));
        gate.set();
        let running = pool.submit(|| std::thread::current().id());
        while !running.is_running() && !running.is_done() {
            std::thread::yield_now();
        }
        assert_ne!(running.result_here().unwrap(), here);
    });
}

#[test]
fn jobs_come_in_the_order_of_their_ends() {
    within_limit(|| {
        let (pool, gate) = busy_pool(10);
        let late = pool.submit(|| "late");
        let early = Pool::new(1).unwrap().submit(|| "early");
        let mut jobs = as_completed([late, early]);
        assert_eq!(jobs.next().unwrap().result().unwrap(), "early");
        assert_eq!(jobs.next_for(SHORT).unwrap_err(), TimedOut);
        assert_eq!((jobs.unfinished(), jobs.len()), (1, 1));
        gate.set();
        assert_eq!(
            jobs.next_for(LONG).unwrap().unwrap().result().unwrap(),
            "late"
        );
        assert!(jobs.next().is_none() && jobs.next_for(LONG).unwrap().is_none());
    });
}

#[test]
fn a_wait_ends_with_the_first_the_first_error_or_all() {
    within_limit(|| {
        let (pool, gate) = busy_pool(10);
        let other = Pool::new(1).unwrap();
        let jobs = [pool.submit(|| 1), other.submit(|| 2)];
        wait(&jobs, WaitFor::First);
        assert!(jobs[1].is_done() && !jobs[0].is_done());
        assert_eq!(wait_for(&jobs, WaitFor::FirstError, SHORT), Err(TimedOut));
        assert_eq!(wait_for(&jobs, WaitFor::All, SHORT), Err(TimedOut));
        let failing = [pool.submit(|| 3), other.submit(|| panic!("on purpose"))];
        wait(&failing, WaitFor::FirstError);
        assert!(!failing[0].is_done());
        gate.set();
        wait(&jobs, WaitFor::All);
        assert!(jobs.iter().all(Job::is_done));
        wait(&jobs, WaitFor::FirstError);
        wait::<()>(&[], WaitFor::All);
    });
}

#[test]
fn a_worker_of_one_may_wait_for_several_of_its_jobs() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let inner = pool.clone();
        let job = pool.submit(move || {
            let submit = |n: u32| inner.submit(move || n);
            let jobs = [submit(1), submit(2)];
            wait(&jobs, WaitFor::All);
            let first: u32 = as_completed(jobs).map(|job| job.result().unwrap()).sum();
            let mapped = inner.map(|n: u32| n, 0..50).unordered().window(3);
            first + mapped.map(Result::unwrap).sum::<u32>()
        });
        assert_eq!(job.result().unwrap(), 3 + 1225);
    });
}

#[test]
fn an_unordered_map_gives_each_result_once() {
    within_limit(|| {
        let pool = Pool::new(3).unwrap();
        let results = pool.map(|n: u32| n, 0..1000).unordered().window(7);
        let seen: BTreeSet<_> = results.map(Result::unwrap).collect();
        assert!(seen.into_iter().eq(0..1000));

        let (busy, gate) = busy_pool(100);
        let read = Arc::new(AtomicUsize::new(0));
        let counter = read.clone();
        let endless = std::iter::repeat_with(move || counter.fetch_add(1, Ordering::Relaxed));
        let mut results = busy.map(|n| n, endless).unordered().window(4);
        gate.set();
        results.next().unwrap().unwrap();
        assert_eq!(read.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn a_chunked_map_keeps_the_order_and_fails_only_what_panics() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let results = pool.map(|n: u32| if n == 13 { panic!("13") } else { n }, 0..1001);
        let results: Vec<_> = results.chunks(10).map(Result::ok).collect();
        assert_eq!(results.len(), 1001);
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(result.map(|r| r as usize), (n != 13).then_some(n));
        }
        let results = pool.map(|n: u32| n, 0..25).chunks(10);
        pool.shutdown(PoolShutdown::Wait);
        let closed = results.filter(|result| matches!(result, Err(JobError::Closed)));
        assert_eq!(closed.count(), 25);
    });
}

#[test]
fn scoped_jobs_borrow_and_have_ended_when_the_scope_returns() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let mut numbers: Vec<_> = (0..100).collect();
        let sum = pool.scope(|s| {
            let (left, right) = numbers.split_at_mut(50);
            for n in left {
                drop(s.submit(move || *n += 1000));
            }
            s.submit(|| right.iter().sum::<i32>()).result().unwrap()
        });
        assert_eq!(sum, (50..100).sum());
        assert!(numbers[..50].iter().all(|n| *n >= 1000));
    });
}

#[test]
fn a_scope_waits_even_if_its_body_panics() {
    within_limit(|| {
        let pool = Pool::new(2).unwrap();
        let done = AtomicUsize::new(0);
        let gate = Event::new();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|s| {
                drop(s.submit(|| {
                    gate.wait();
                    done.fetch_add(1, Ordering::SeqCst);
                }));
                gate.set();
                panic!("in the body");
            })
        }));
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"in the body"));
        assert_eq!(done.into_inner(), 1);
    });
}

#[test]
fn a_scoped_panic_reaches_the_taker_or_the_owner() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let taken = pool.scope(|s| s.submit(|| panic!("taken")).result());
        assert!(matches!(taken, Err(JobError::Panicked(p)) if p.message() == "taken"));
        let lost = catch_unwind(AssertUnwindSafe(|| {
            pool.scope(|s| drop(s.submit(|| panic!("lost"))));
        }));
        assert_eq!(lost.unwrap_err().downcast_ref(), Some(&"lost"));
    });
}

#[test]
fn a_scoped_job_is_cancelled_timed_out_or_refused_like_any_other() {
    within_limit(|| {
        let (pool, gate) = busy_pool(10);
        let text = "borrowed".to_owned();
        pool.scope(|s| {
            let cancelled = s.submit(|| text.len());
            assert!(cancelled.cancel() && cancelled.is_done());
            assert!(matches!(cancelled.result(), Err(JobError::Cancelled)));
            let mut slow = s.submit(|| text.len());
            assert!(matches!(slow.result_for(SHORT), Err(JobError::TimedOut)));
            gate.set();
            assert_eq!(slow.result_for(LONG).unwrap(), 8);
            assert!(matches!(slow.result_for(LONG), Err(JobError::AlreadyTaken)));
        });
        pool.shutdown(PoolShutdown::Wait);
        let closed = pool.scope(|s| s.submit(|| text.len()).result());
        assert!(matches!(closed, Err(JobError::Closed)));
    });
}

#[test]
fn scopes_and_joins_nest_on_a_pool_of_one() {
    fn count(pool: &Pool, depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let (a, b) = pool.fork_join(|| count(pool, depth - 1), || count(pool, depth - 1));
        a + b.unwrap()
    }
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(count(&pool, 6), 64);
        let inner = pool.clone();
        let job = pool.submit(move || {
            let mut cells = [0; 10];
            inner.scope(|s| cells.iter_mut().for_each(|n| drop(s.submit(|| *n = 1))));
            cells.iter().sum::<i32>() + count(&inner, 4) as i32
        });
        assert_eq!(job.result().unwrap(), 26);
    });
}

#[test]
fn a_full_pool_takes_no_more_until_there_is_room() {
    within_limit(|| {
        let (pool, gate) = busy_pool(1);
        let queued = pool.submit(|| 1);
        assert!(matches!(pool.try_submit(|| 2), Err(SubmitError::Full(_))));
        let Err(SubmitError::TimedOut(back)) = pool.submit_for(|| 2, SHORT) else {
            panic!("there was no room");
        };
        assert_eq!(back(), 2);
        let other = pool.clone();
        let mut waiting = threads::spawn(move || other.submit(|| 3).result().unwrap()).unwrap();
        gate.set();
        assert_eq!((queued.result().unwrap(), waiting.join().unwrap()), (1, 3));
        assert_eq!(pool.submit_for(|| 4, LONG).unwrap().result().unwrap(), 4);

        // A worker may exceed the bound: nobody else could make room for it.
        let inner = pool.clone();
        let nested = pool.submit(move || {
            let jobs: Vec<_> = (0..5).map(|n| inner.submit(move || n)).collect();
            jobs.into_iter()
                .map(|job| job.result().unwrap())
                .sum::<i32>()
        });
        assert_eq!(nested.result().unwrap(), 10);
    });
}

#[test]
fn a_shutdown_releases_a_waiting_submitter() {
    within_limit(|| {
        let (pool, gate) = busy_pool(1);
        let queued = pool.submit(|| ());
        let other = pool.clone();
        let mut waiting = threads::spawn(move || other.submit(|| ()).result()).unwrap();
        pool.close();
        let outcome = waiting.join().unwrap();
        assert!(matches!(outcome, Err(JobError::Closed)));
        gate.set();
        queued.result().unwrap();
    });
}

#[test]
fn hooks_run_once_for_each_worker() {
    within_limit(|| {
        let (starts, stops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (started, stopped) = (starts.clone(), stops.clone());
        let pool = Pool::builder()
            .workers(3)
            .on_start(move || {
                started.fetch_add(1, Ordering::SeqCst);
                panic!("reported, and nothing else");
            })
            .on_stop(move || _ = stopped.fetch_add(1, Ordering::SeqCst))
            .build()
            .unwrap();
        pool.submit(|| ()).result().unwrap();
        pool.shutdown(PoolShutdown::Wait);
        assert_eq!(
            (starts.load(Ordering::SeqCst), stops.load(Ordering::SeqCst)),
            (3, 3)
        );
    });
}

#[test]
fn idle_workers_end_and_are_started_again() {
    within_limit(|| {
        let gone = Arc::new(Latch::new(2));
        let stopped = gone.clone();
        let pool = Pool::builder()
            .workers(3)
            .idle_timeout(Duration::from_millis(1))
            .on_stop(move || stopped.count_down())
            .build()
            .unwrap();
        gone.wait();
        // Three jobs that end only together: each needs a worker of its own.
        for _ in 0..20 {
            let together = Arc::new(Barrier::new(3).timeout(LONG));
            let jobs: Vec<_> = (0..3)
                .map(|_| together.clone())
                .map(|together| pool.submit(move || together.wait()))
                .collect();
            for job in jobs {
                job.result().unwrap().unwrap();
            }
        }
    });
}
