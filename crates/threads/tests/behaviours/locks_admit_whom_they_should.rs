//! The other locks: reentrant, fair, shared.

use crate::common::{LONG, SHORT, within_limit};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;
use threads::{Condition, FairLock, Latch, RLock, RwLock, spawn};

#[test]
fn a_reentrant_lock_nests_and_is_free_after_the_last_guard() {
    within_limit(|| {
        let lock = RLock::new(Cell::new(0));
        let outer = lock.lock();
        let inner = lock.try_lock().unwrap();
        assert!(lock.lock_for(SHORT).is_some() && lock.lock_until(Instant::now()).is_some());
        let elsewhere =
            || threads::scope(|s| s.spawn(|| lock.try_lock().is_some()).unwrap().join());
        assert!(lock.is_owned());
        assert!(!elsewhere().unwrap());
        drop(outer);
        assert!(!elsewhere().unwrap());
        drop(inner);
        assert!(elsewhere().unwrap());
        assert!(!lock.is_owned());
    });
}

#[test]
fn a_condition_releases_every_level_of_a_reentrant_lock() {
    within_limit(|| {
        let shared = Arc::new((RLock::new(Cell::new(false)), Condition::new()));
        let other = shared.clone();
        let outer = shared.0.lock();
        let mut inner = shared.0.lock();
        let mut setter = spawn(move || {
            // Gets the lock only while the other thread waits.
            other.0.lock().set(true);
            other.1.notify(1);
        })
        .unwrap();
        assert!(
            shared
                .1
                .wait_while_for(&mut inner, LONG, |ready| !ready.get())
                .is_ok()
        );
        assert!(outer.get());
        setter.join().unwrap();
        drop(inner);
        assert!(shared.0.is_owned());
        drop(outer);
        assert!(!shared.0.is_owned());
    });
}

#[test]
fn a_fair_lock_passes_from_hand_to_hand() {
    within_limit(|| {
        let lock = FairLock::new(0);
        threads::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| (0..1000).for_each(|_| *lock.lock() += 1))
                    .unwrap();
            }
        });
        let held = lock.lock();
        assert_eq!(*held, 3000);
        assert!(lock.try_lock().is_none() && lock.lock_for(SHORT).is_none());
        drop(held);
        let changed = Condition::new();
        assert!(changed.wait_for(&mut lock.lock(), SHORT).is_err());
    });
}

#[test]
fn readers_share_and_writers_do_not() {
    within_limit(|| {
        let lock = RwLock::new(1);
        let (a, b) = (lock.read(), lock.read_for(SHORT).unwrap());
        assert_eq!(*a + *b, 2);
        let start = Instant::now();
        assert!(lock.try_write().is_none() && lock.write_until(start).is_none());
        assert!(lock.write_for(SHORT).is_none());
        assert!(start.elapsed() >= SHORT);
        drop((a, b));
        let writer = lock.write_for(LONG).unwrap();
        assert!(lock.try_read().is_none() && lock.read_until(start).is_none());
        assert_eq!(format!("{lock:?}"), "RwLock(<locked>)");
        drop(writer);
        assert_eq!(format!("{lock:?}"), "RwLock(1)");
    });
}

#[test]
fn a_writer_gets_through_a_stream_of_readers() {
    within_limit(|| {
        let (lock, started) = (RwLock::new(false), Latch::new(2));
        threads::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    started.count_down();
                    while !*lock.read() {}
                })
                .unwrap();
            }
            started.wait();
            *lock.write() = true;
        });
    });
}

#[cfg(not(feature = "lockdep"))]
#[test]
fn locks_that_are_not_watched_are_no_larger() {
    use std::mem::size_of;
    use threads::Lock;
    assert_eq!(size_of::<Lock<u64>>(), size_of::<parking_lot::Mutex<u64>>());
    assert_eq!(
        size_of::<threads::LockGuard<'_, u64>>(),
        size_of::<parking_lot::MutexGuard<'_, u64>>()
    );
    assert_eq!(
        size_of::<RwLock<u64>>(),
        size_of::<parking_lot::RwLock<u64>>()
    );
    assert_eq!(
        size_of::<FairLock<u64>>(),
        size_of::<parking_lot::FairMutex<u64>>()
    );
}
