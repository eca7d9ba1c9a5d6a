//! Semaphores, events, latches and barriers: nobody waits for ever, nobody passes too early.

use crate::common::{LONG, SHORT, within_limit};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use threads::{Barrier, BoundedSemaphore, Broken, Event, Latch, OverRelease, Semaphore, spawn};

/// Yields until `condition` holds; the test's time limit ends it otherwise.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

#[test]
fn a_semaphore_admits_as_many_as_it_has_permits() {
    within_limit(|| {
        let semaphore = Semaphore::new(3);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        threads::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    for _ in 0..500 {
                        let _permit = semaphore.acquire();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
                .unwrap();
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn release_frees_as_many_as_asked_even_above_the_start() {
    within_limit(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let threads: Vec<_> = (0..5)
            .map(|_| semaphore.clone())
            .map(|semaphore| spawn(move || semaphore.acquire().forget()).unwrap())
            .collect();
        semaphore.release(3);
        until(|| threads.iter().filter(|thread| !thread.is_alive()).count() == 3);
        assert!(semaphore.try_acquire().is_none());
        semaphore.release(7);
        threads
            .into_iter()
            .for_each(|mut thread| thread.join().unwrap());
        assert_eq!(semaphore.available(), 5);
    });
}

#[test]
fn a_permit_may_be_given_back_by_another_thread() {
    within_limit(|| {
        // What Python's plain lock allows, and a guard does not.
        let semaphore = Arc::new(Semaphore::new(1));
        semaphore.acquire().forget();
        assert!(semaphore.try_acquire().is_none());
        let other = semaphore.clone();
        let mut thread = spawn(move || other.release(1)).unwrap();
        semaphore.acquire().forget();
        thread.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn a_permit_comes_back_after_a_panic() {
    let semaphore = Semaphore::new(1);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _permit = semaphore.acquire();
        panic!("with a permit");
    }));
    assert!(outcome.is_err());
    assert!(semaphore.try_acquire().is_some());
}

#[test]
fn a_timed_acquire_takes_nothing_and_is_not_early() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire();
    let start = Instant::now();
    assert!(semaphore.acquire_for(SHORT).is_none());
    assert!(start.elapsed() >= SHORT);
    assert!(semaphore.acquire_until(start).is_none());
    drop(held);
    assert!(semaphore.acquire_many_for(2, SHORT).is_none());
    assert!(semaphore.try_acquire_many(1).is_some());
}

#[test]
fn a_large_request_does_not_hold_up_a_small_one() {
    within_limit(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (large, small) = (semaphore.clone(), semaphore.clone());
        let mut large = spawn(move || large.acquire_many(3).forget()).unwrap();
        let mut small = spawn(move || small.acquire().forget()).unwrap();
        semaphore.release(1);
        small.join().unwrap();
        semaphore.release(1);
        semaphore.release(2);
        large.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn a_bounded_semaphore_refuses_one_release_too_many() {
    let semaphore = BoundedSemaphore::new(2);
    assert_eq!(semaphore.release(1), Err(OverRelease));
    semaphore.acquire();
    assert!(semaphore.try_acquire() && !semaphore.try_acquire());
    assert!(!semaphore.acquire_for(SHORT) && !semaphore.acquire_until(Instant::now()));
    assert_eq!(semaphore.release(3), Err(OverRelease));
    assert_eq!(semaphore.release(2), Ok(()));
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn set_wakes_all_even_if_cleared_at_once() {
    within_limit(|| {
        for _ in 0..50 {
            let (event, ready) = (Arc::new(Event::new()), Arc::new(Latch::new(4)));
            let threads: Vec<_> = (0..4)
                .map(|_| (event.clone(), ready.clone()))
                .map(|(event, ready)| {
                    spawn(move || {
                        ready.count_down();
                        event.wait();
                    })
                    .unwrap()
                })
                .collect();
            ready.wait();
            // Some may not wait yet when the first pulse comes; each pulse wakes those who do.
            while threads.iter().any(|thread| thread.is_alive()) {
                event.set();
                event.clear();
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_timed_wait_tells_the_flag() {
    let event = Event::new();
    let start = Instant::now();
    assert!(!event.wait_for(SHORT));
    assert!(start.elapsed() >= SHORT);
    assert!(!event.wait_until(start));
    event.set();
    assert!(event.is_set() && event.wait_for(SHORT) && event.wait_until(start));
    event.wait();
    event.clear();
    assert!(!event.is_set());
}

#[test]
fn a_latch_opens_once_and_stays_open() {
    let latch = Latch::new(2);
    latch.count_down();
    assert!(!latch.is_open() && !latch.wait_for(SHORT) && !latch.wait_until(Instant::now()));
    latch.count_down();
    latch.count_down();
    assert_eq!(latch.count(), 0);
    latch.wait();
    assert!(latch.wait_for(SHORT));
}

#[test]
fn a_barrier_keeps_lockstep_and_gives_each_place_once() {
    within_limit(|| {
        const PARTIES: usize = 4;
        let barrier = Barrier::new(PARTIES);
        let arrived = AtomicUsize::new(0);
        threads::scope(|s| {
            for _ in 0..PARTIES {
                s.spawn(|| {
                    for round in 1..=10 {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        barrier.wait().unwrap();
                        assert!(arrived.load(Ordering::SeqCst) >= round * PARTIES);
                        barrier.wait().unwrap();
                    }
                })
                .unwrap();
            }
        });
        let barrier = Arc::new(Barrier::new(PARTIES));
        let threads = (0..PARTIES).map(|_| barrier.clone());
        let threads: Vec<_> = threads.map(|b| spawn(move || b.wait()).unwrap()).collect();
        let places: BTreeSet<_> = threads
            .into_iter()
            .map(|mut thread| thread.join().unwrap().unwrap())
            .collect();
        assert!(places.into_iter().eq(0..PARTIES));
    });
}

#[test]
fn the_action_runs_once_before_anyone_goes_on() {
    within_limit(|| {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = runs.clone();
        let action = move || _ = counter.fetch_add(1, Ordering::SeqCst);
        let barrier = Arc::new(Barrier::new(3).action(action));
        let threads: Vec<_> = (0..3)
            .map(|_| (barrier.clone(), runs.clone()))
            .map(|(barrier, runs)| {
                spawn(move || {
                    barrier.wait().unwrap();
                    runs.load(Ordering::SeqCst)
                })
                .unwrap()
            })
            .collect();
        for mut thread in threads {
            assert_eq!(thread.join().unwrap(), 1);
        }
    });
}

#[test]
fn an_abort_breaks_for_those_who_wait_and_those_who_come() {
    within_limit(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let mut waiter = spawn(move || other.wait()).unwrap();
        until(|| barrier.waiting() == 1);
        barrier.abort();
        assert_eq!(waiter.join().unwrap(), Err(Broken));
        assert!(barrier.is_broken());
        assert_eq!(barrier.wait(), Err(Broken));

        barrier.reset();
        assert!(!barrier.is_broken());
        let other = barrier.clone();
        let mut waiter = spawn(move || other.wait().is_ok()).unwrap();
        assert!(barrier.wait().is_ok() && waiter.join().unwrap());
    });
}

#[test]
fn a_reset_breaks_for_those_who_wait_only() {
    within_limit(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let mut waiter = spawn(move || other.wait()).unwrap();
        until(|| barrier.waiting() == 1);
        barrier.reset();
        assert_eq!(waiter.join().unwrap(), Err(Broken));
        assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));

        let other = barrier.clone();
        let mut waiter = spawn(move || other.wait().is_ok()).unwrap();
        assert!(barrier.wait().is_ok() && waiter.join().unwrap());
    });
}

#[test]
fn one_time_limit_breaks_the_barrier_for_all() {
    within_limit(|| {
        let barrier = Arc::new(Barrier::new(3).timeout(LONG));
        let other = barrier.clone();
        let mut patient = spawn(move || other.wait()).unwrap();
        until(|| barrier.waiting() == 1);
        let start = Instant::now();
        assert_eq!(barrier.wait_for(SHORT), Err(Broken));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(patient.join().unwrap(), Err(Broken));
        assert_eq!(barrier.wait_until(start), Err(Broken));
    });
}

#[test]
fn one_party_never_waits_and_a_panicking_action_breaks() {
    let alone = Barrier::new(1);
    assert_eq!(
        (alone.wait(), alone.wait(), alone.parties()),
        (Ok(0), Ok(0), 1)
    );
    let barrier = Barrier::new(1).action(|| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| barrier.wait())).is_err());
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait(), Err(Broken));
}
