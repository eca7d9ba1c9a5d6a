//! Orders of taking locks that may deadlock are reported; a process of its own, since there is one hook.
//!
//! The cases take turns: each sets the hook, and locks of different cases never form one cycle.

#[path = "behaviours/common.rs"]
mod common;

use common::{LONG, SHORT, within_limit};
use std::panic::Location;
use std::sync::Mutex;
use threads::lockdep::{self, Cycle};
use threads::{Condition, FairLock, GetError, Lock, Queue, RLock, RwLock, Thread};

static TURN: Mutex<()> = Mutex::new(());

/// Runs a case that watches the reports.
fn watched(case: impl FnOnce(&Queue<Cycle>) + Send + 'static) {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    let reports = Queue::unbounded();
    let sink = reports.clone();
    lockdep::set_hook(move |cycle| sink.put(cycle.clone()).unwrap());
    within_limit(move || {
        case(&reports);
        assert_eq!(reports.try_get().map(|cycle| cycle.to_string()), NOTHING);
    });
    lockdep::reset_hook();
}

const NOTHING: Result<String, GetError> = Err(GetError::Empty);

/// Runs `f` in a named thread to its end.
fn in_thread<T: Send>(name: &str, f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn_scoped(scope, f).unwrap().join().unwrap()
    })
}

fn line(place: &Location<'_>) -> u32 {
    assert!(place.file().ends_with("lock_orders_are_watched.rs"));
    place.line()
}

#[test]
fn two_opposite_orders_are_reported_once_with_names_and_places() {
    watched(|reports| {
        let (left, right) = (Lock::new(1), FairLock::new(2));
        let forward = || {
            let _left = left.lock();
            let _right = right.lock();
            line!()
        };
        let backward = || {
            let _right = right.lock_for(LONG);
            let _left = left.lock();
            line!()
        };
        let forward_end = in_thread("forward", forward);
        assert!(reports.is_empty());
        let backward_end = in_thread("backward", backward);
        in_thread("again", backward);
        in_thread("again", forward);

        let cycle = reports.try_get().unwrap();
        let steps: Vec<_> = cycle
            .steps()
            .iter()
            .map(|step| (step.thread(), line(step.held_at()), line(step.wanted_at())))
            .collect();
        let expected = [
            ("backward", backward_end - 2, backward_end - 1),
            ("forward", forward_end - 2, forward_end - 1),
        ];
        assert_eq!(steps, expected);
        let text = cycle.to_string();
        assert!(text.contains(r#""forward""#) && text.contains(r#""backward""#));
    });
}

#[test]
fn a_real_deadlock_is_reported_before_it_begins() {
    watched(|reports| {
        let (left, right) = (Lock::new(()), Lock::new(()));
        let both_hold = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _left = left.lock();
                both_hold.wait();
                // Ends when the other thread gives up.
                let _right = right.lock();
            });
            scope.spawn(|| {
                let right = right.lock();
                both_hold.wait();
                while reports.is_empty() && left.lock_for(SHORT).is_none() {}
                drop(right);
            });
        });
        assert_eq!(reports.try_get().unwrap().steps().len(), 2);
    });
}

#[test]
fn a_circle_of_three_kinds_is_found() {
    watched(|reports| {
        let (a, b, c) = (RLock::new(()), RwLock::new(()), FairLock::new(()));
        in_thread("ab", || drop((a.lock(), b.read())));
        in_thread("bc", || drop((b.write(), c.lock())));
        in_thread("ac", || drop((a.lock(), c.lock())));
        assert!(reports.is_empty());
        in_thread("ca", || drop((c.lock(), a.lock())));
        // The shortest: the circle of three shares the step that closes it.
        let cycle = reports.try_get().unwrap();
        let threads: Vec<_> = cycle.steps().iter().map(|step| step.thread()).collect();
        assert_eq!(threads, ["ca", "ac"]);
        in_thread("cb", || drop((c.lock(), b.read())));
        assert_eq!(reports.try_get().unwrap().steps().len(), 2);
    });
    watched(|reports| {
        let (a, b, c) = (RLock::new(()), RwLock::new(()), FairLock::new(()));
        in_thread("ab", || drop((a.lock(), b.read())));
        in_thread("bc", || drop((b.read(), c.lock())));
        in_thread("ca", || drop((c.lock(), a.lock())));
        let cycle = reports.try_get().unwrap();
        let threads: Vec<_> = cycle.steps().iter().map(|step| step.thread()).collect();
        assert_eq!(threads, ["ca", "ab", "bc"]);
    });
}

#[test]
fn a_try_waits_for_nobody_but_what_it_took_is_held() {
    watched(|reports| {
        let (a, b, c) = (Lock::new(()), Lock::new(()), Lock::new(()));
        drop((a.lock(), b.lock()));
        drop((b.lock(), a.try_lock().unwrap()));
        assert!(reports.is_empty());
        drop((b.try_lock().unwrap(), c.lock()));
        drop((c.lock(), b.lock()));
        assert_eq!(reports.try_get().unwrap().steps().len(), 2);
    });
}

#[test]
fn a_lock_wanted_by_its_holder_is_a_circle_of_one() {
    watched(|reports| {
        let lock = Lock::new(());
        let guard = lock.lock();
        assert!(lock.lock_for(SHORT).is_none());
        assert!(lock.lock_for(SHORT).is_none());
        drop(guard);
        assert_eq!(reports.try_get().unwrap().steps().len(), 1);

        let shared = RwLock::new(());
        drop((shared.read(), shared.read()));
        assert_eq!(reports.try_get().unwrap().steps().len(), 1);
    });
}

#[test]
fn a_reentrant_lock_may_be_entered_again_at_any_time() {
    watched(|_| {
        let (outer, inner) = (RLock::new(()), Lock::new(()));
        let first = outer.lock();
        let second = inner.lock();
        // Held already, so it is not waited for.
        drop(outer.lock());
        drop((first, second));
        drop((outer.lock(), inner.lock()));
    });
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    watched(|_| {
        let (a, b, c) = (Lock::new(()), Lock::new(()), Lock::new(()));
        let first = a.lock();
        let second = b.try_lock();
        drop(first);
        // Only `b` is held, so `a` stays without a place in the order.
        drop((c.lock(), second));
        drop((c.lock(), a.lock()));
    });
}

#[test]
fn a_condition_takes_its_lock_after_the_others() {
    watched(|reports| {
        let (state, other) = (Lock::new(()), Lock::new(()));
        let condition = Condition::new();
        let mut guard = state.lock();
        let inner = other.lock();
        // The lock is given up and taken again while `other` is held.
        assert!(condition.wait_for(&mut guard, SHORT).is_err());
        let waited = line!() - 1;
        drop((guard, inner));
        let cycle = reports.try_get().unwrap();
        assert_eq!(line(cycle.steps()[0].wanted_at()), waited);

        // It is held again after the wait, and was not during it.
        let (state, other) = (RLock::new(()), Lock::new(()));
        let mut guard = state.lock();
        let level = state.lock();
        assert!(condition.wait_for(&mut guard, SHORT).is_err());
        drop(other.lock());
        drop((guard, level));
        drop((other.lock(), state.lock()));
        assert_eq!(reports.try_get().unwrap().steps().len(), 2);
    });
}

#[test]
fn a_dropped_lock_takes_its_orders_with_it() {
    watched(|reports| {
        let (a, c) = (Lock::new(()), Lock::new(()));
        {
            let b = Lock::new(());
            drop((a.lock(), b.lock()));
            drop((b.lock(), c.lock()));
        }
        drop((c.lock(), a.lock()));
        assert!(reports.is_empty());
        assert_eq!(Lock::new(3).into_inner(), 3);
    });
}

#[test]
fn a_hook_may_take_locks_and_panic() {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    within_limit(|| {
        let seen = Queue::unbounded();
        let sink = seen.clone();
        lockdep::set_hook(move |_| {
            let (a, b) = (Lock::new(()), Lock::new(()));
            drop((a.lock(), b.lock()));
            drop((b.lock(), a.lock()));
            sink.put(threads::current().name().to_owned()).unwrap();
            panic!("in the hook");
        });
        let mut thread = Thread::builder()
            .name("closer")
            .spawn(|| {
                let (a, b) = (Lock::new(()), Lock::new(()));
                drop((a.lock(), b.lock()));
                drop((b.lock(), a.lock()));
                7
            })
            .unwrap();
        assert_eq!(thread.join().unwrap(), 7);
        assert_eq!(seen.try_get().as_deref(), Ok("closer"));
        assert!(seen.is_empty());
        lockdep::reset_hook();
    });
}
