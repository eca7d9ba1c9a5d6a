//! Locks and conditions: nobody is forgotten, nobody wakes too early, no time limit runs out too soon.

use crate::common::{LONG, SHORT, within_limit};
use std::sync::Arc;
use std::time::Instant;
use threads::{Condition, Lock, Queue, Thread, TimedOut, spawn};

#[derive(Default)]
struct Shared {
    /// Threads waiting, threads woken, whether phase two has begun.
    state: Lock<(usize, usize, bool)>,
    changed: Condition,
}

/// Starts `n` waiters and returns when all of them wait.
fn waiters(n: usize, shared: &Arc<Shared>) -> Vec<Thread<()>> {
    let threads = (0..n).map(|_| {
        let shared = shared.clone();
        let wait = move || {
            let mut state = shared.state.lock();
            state.0 += 1;
            shared.changed.wait(&mut state);
            state.1 += 1;
        };
        spawn(wait).unwrap()
    });
    let threads = threads.collect();
    // Waiting releases the lock, so whoever has counted itself is waiting when the lock is free.
    while shared.state.lock().0 < n {
        std::thread::yield_now();
    }
    threads
}

fn until_woken(n: usize, shared: &Shared) {
    while shared.state.lock().1 < n {
        std::thread::yield_now();
    }
}

#[test]
fn notify_wakes_as_many_as_asked() {
    within_limit(|| {
        let shared = Arc::new(Shared::default());
        let threads = waiters(5, &shared);
        assert_eq!(shared.changed.notify(3), 3);
        until_woken(3, &shared);
        assert_eq!(shared.changed.notify_all(), 2);
        for mut thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.state.lock().1, 5);
    });
}

#[test]
fn a_surplus_notification_is_not_remembered() {
    let (lock, changed) = (Lock::new(()), Condition::new());
    assert_eq!(changed.notify(3), 0);
    assert_eq!(changed.notify_all(), 0);
    assert_eq!(changed.wait_for(&mut lock.lock(), SHORT), Err(TimedOut));
}

#[test]
fn a_timed_wait_returns_with_the_lock_held_and_not_early() {
    let (lock, changed) = (Lock::new(1), Condition::new());
    let mut guard = lock.lock();
    let start = Instant::now();
    assert_eq!(changed.wait_for(&mut guard, SHORT), Err(TimedOut));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(changed.wait_until(&mut guard, start), Err(TimedOut));
    assert!(lock.try_lock().is_none());
    *guard = 2;
    assert!(
        changed
            .wait_while_until(&mut guard, start, |n| *n == 2)
            .is_err()
    );
    assert!(
        changed
            .wait_while_until(&mut guard, start, |n| *n == 1)
            .is_ok()
    );
}

#[test]
fn notify_all_reaches_those_who_wait_again() {
    within_limit(|| {
        let shared = Arc::new(Shared::default());
        let other = shared.clone();
        let mut thread = spawn(move || {
            let mut state = other.state.lock();
            for _ in 0..2 {
                state.0 += 1;
                other.changed.wait(&mut state);
                state.1 += 1;
            }
        })
        .unwrap();
        for phase in 1..=2 {
            while shared.state.lock().0 < phase {
                std::thread::yield_now();
            }
            assert_eq!(shared.changed.notify_all(), 1);
            until_woken(phase, &shared);
        }
        thread.join().unwrap();
    });
}

#[test]
fn a_predicate_is_checked_again_after_each_notification() {
    within_limit(|| {
        let shared = Arc::new((Lock::new(0), Condition::new()));
        let other = shared.clone();
        let mut thread = spawn(move || {
            let mut n = other.0.lock();
            assert!(other.1.wait_while_for(&mut n, LONG, |n| *n < 3).is_ok());
            *n
        })
        .unwrap();
        while thread.is_alive() {
            let mut n = shared.0.lock();
            *n = (*n + 1).min(3);
            drop(n);
            shared.1.notify(1);
        }
        assert_eq!(thread.join().unwrap(), 3);
    });
}

#[test]
fn a_condition_serves_again_and_again() {
    within_limit(|| {
        let shared = Arc::new((Lock::new(0), Condition::new()));
        let other = shared.clone();
        // Each thread waits for its parity, counts on, and wakes the other.
        let count = |shared: &(Lock<u32>, Condition), parity| {
            for _ in 0..500 {
                let mut n = shared.0.lock();
                shared.1.wait_while(&mut n, |n| *n % 2 != parity);
                *n += 1;
                shared.1.notify(1);
            }
        };
        let mut thread = spawn(move || count(&other, 1)).unwrap();
        count(&shared, 0);
        thread.join().unwrap();
        assert_eq!(*shared.0.lock(), 1_000);
    });
}

#[test]
fn one_condition_serves_several_locks() {
    let changed = Condition::new();
    let (a, b) = (Lock::new('a'), Lock::new(1));
    assert_eq!(changed.wait_for(&mut a.lock(), SHORT), Err(TimedOut));
    assert_eq!(changed.wait_for(&mut b.lock(), SHORT), Err(TimedOut));
}

#[test]
fn a_held_lock_is_refused_in_time() {
    within_limit(|| {
        let lock = Arc::new(Lock::new(0));
        let other = lock.clone();
        let held = lock.lock();
        let (ask, answer) = (Queue::bounded(1), Queue::bounded(1));
        let (asked, answered) = (ask.clone(), answer.clone());
        let mut thread = spawn(move || {
            let start = Instant::now();
            let refused = other.try_lock().is_none()
                && other.lock_for(SHORT).is_none()
                && other.lock_until(start).is_none()
                && start.elapsed() >= SHORT;
            answered.put(refused).unwrap();
            asked.get().unwrap();
            // A failed attempt leaves the lock usable.
            *other.lock_for(LONG).unwrap() += 1;
        })
        .unwrap();
        assert_eq!(answer.get(), Ok(true));
        assert!(lock.is_locked());
        drop(held);
        ask.put(()).unwrap();
        thread.join().unwrap();
        assert_eq!(*lock.lock(), 1);
    });
}

#[test]
fn a_lock_shows_its_value_only_when_free() {
    let mut lock = Lock::from(5);
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?}"), "Lock(6)");
    let guard = lock.lock();
    assert_eq!(format!("{lock:?} {guard:?} {guard}"), "Lock(<locked>) 6 6");
    drop(guard);
    assert_eq!(lock.into_inner(), 6);
}
