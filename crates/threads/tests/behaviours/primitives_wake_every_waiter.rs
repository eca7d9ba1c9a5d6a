//! Semaphores, events and latches: no wait lasts for ever, and none ends too early.

use crate::common::{SHORT, until, within_limit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use threads::{
    BoundedSemaphore, Event, Latch, OverRelease, Semaphore, TimedOut, WouldBlock, spawn,
};

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
        semaphore.release(3).unwrap();
        until(|| threads.iter().filter(|thread| !thread.is_alive()).count() == 3);
        assert!(semaphore.try_acquire().is_err());
        semaphore.release(7).unwrap();
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
        assert!(semaphore.try_acquire().is_err());
        let other = semaphore.clone();
        let mut thread = spawn(move || other.release(1).unwrap()).unwrap();
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
    assert!(semaphore.try_acquire().is_ok());
}

#[test]
fn a_timed_acquire_takes_nothing_and_is_not_early() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire();
    let start = Instant::now();
    assert_eq!(semaphore.acquire_for(SHORT).err(), Some(TimedOut));
    assert!(start.elapsed() >= SHORT);
    assert!(semaphore.acquire_until(start).is_err());
    drop(held);
    assert!(semaphore.acquire_many_for(2, SHORT).is_err());
    assert!(semaphore.acquire_many_until(2, start).is_err());
    assert!(semaphore.try_acquire_many(1).is_ok());
}

#[test]
fn a_large_request_does_not_hold_up_a_small_one() {
    within_limit(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let (large, small) = (semaphore.clone(), semaphore.clone());
        let mut large = spawn(move || large.acquire_many(3).forget()).unwrap();
        let mut small = spawn(move || small.acquire().forget()).unwrap();
        semaphore.release(1).unwrap();
        small.join().unwrap();
        semaphore.release(1).unwrap();
        semaphore.release(2).unwrap();
        large.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn a_bounded_semaphore_refuses_one_release_too_many() {
    let semaphore = BoundedSemaphore::new(2);
    assert_eq!(semaphore.release(1), Err(OverRelease));
    semaphore.acquire();
    assert_eq!(semaphore.try_acquire(), Ok(()));
    assert_eq!(semaphore.try_acquire(), Err(WouldBlock));
    assert_eq!(semaphore.acquire_for(SHORT), Err(TimedOut));
    assert_eq!(semaphore.acquire_until(Instant::now()), Err(TimedOut));
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
fn a_timed_wait_returns_the_flag() {
    let event = Event::new();
    let start = Instant::now();
    assert_eq!(event.wait_for(SHORT), Err(TimedOut));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(event.wait_until(start), Err(TimedOut));
    event.set();
    assert!(event.is_set() && event.wait_for(SHORT).is_ok() && event.wait_until(start).is_ok());
    event.wait();
    event.clear();
    assert!(!event.is_set());
}

#[test]
fn a_latch_opens_once_and_stays_open() {
    let latch = Latch::new(2);
    latch.count_down();
    assert!(!latch.is_open());
    assert_eq!(latch.wait_for(SHORT), Err(TimedOut));
    assert_eq!(latch.wait_until(Instant::now()), Err(TimedOut));
    latch.count_down();
    latch.count_down();
    assert_eq!(latch.count(), 0);
    latch.wait();
    assert_eq!(latch.wait_for(SHORT), Ok(()));
}

#[test]
fn absurd_numbers_of_permits_are_bounded_and_refused() {
    const MOST: usize = Semaphore::MAX_PERMITS;
    let semaphore = Semaphore::new(usize::MAX);
    assert_eq!(semaphore.available(), MOST);
    for n in [1, 2, MOST, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX] {
        assert_eq!(semaphore.release(n), Err(OverRelease));
        assert_eq!(semaphore.available(), MOST);
    }
    assert!(semaphore.try_acquire_many(usize::MAX).is_err());
    assert!(semaphore.acquire_many_for(MOST + 1, SHORT).is_err());
    let all = semaphore.acquire_many(MOST);
    assert_eq!(semaphore.release(MOST), Ok(()));
    // There is no room for what the permit gives back.
    drop(all);
    assert_eq!(semaphore.available(), MOST);

    let bounded = BoundedSemaphore::new(usize::MAX);
    assert_eq!(bounded.release(1), Err(OverRelease));
    bounded.acquire();
    assert_eq!(bounded.release(usize::MAX), Err(OverRelease));
    assert_eq!(bounded.release(1), Ok(()));
    assert_eq!(bounded.available(), MOST);
    assert_eq!(Latch::new(usize::MAX).count(), usize::MAX);
}
