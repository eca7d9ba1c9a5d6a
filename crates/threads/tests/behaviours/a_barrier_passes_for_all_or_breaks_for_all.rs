//! A barrier lets all parties pass together, and breaks for all when one of them does not come.

use crate::common::{LONG, SHORT, until, within_limit};
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use threads::{Barrier, BarrierError, Queue, scope, spawn};

const BROKEN: Result<usize, BarrierError> = Err(BarrierError::Broken);

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
        assert_eq!(waiter.join().unwrap(), BROKEN);
        assert!(barrier.is_broken());
        assert_eq!(barrier.wait(), BROKEN);

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
        assert_eq!(waiter.join().unwrap(), BROKEN);
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
        assert_eq!(barrier.wait_for(SHORT), Err(BarrierError::TimedOut));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(patient.join().unwrap(), BROKEN);
        assert_eq!(barrier.wait_until(start), BROKEN);
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
    assert_eq!(barrier.wait(), BROKEN);
}

/// Whether both parties of a barrier passed, where the limit of the first ran out during the action.
/// `None`: the limit ran out before the second came, which breaks the barrier and says nothing.
fn passes_an_action_longer_than(limit: Duration) -> Option<bool> {
    let deadline = Instant::now() + limit;
    let acted = Arc::new(AtomicUsize::new(0));
    let counter = acted.clone();
    let barrier = Arc::new(Barrier::new(2).action(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        while Instant::now() < deadline + SHORT {
            std::thread::sleep(SHORT);
        }
    }));
    let other = barrier.clone();
    let mut hasty = spawn(move || other.wait_until(deadline)).unwrap();
    until(|| barrier.waiting() == 1 || barrier.is_broken());
    let here = barrier.wait();
    let there = hasty.join().unwrap();
    let acted = acted.load(Ordering::SeqCst) == 1;
    acted.then(|| here.is_ok() && there.is_ok() && !barrier.is_broken())
}

#[test]
fn a_time_limit_does_not_cut_the_action_short() {
    within_limit(|| {
        let mut limit = 4 * SHORT;
        loop {
            match passes_an_action_longer_than(limit) {
                Some(passed) => break assert!(passed),
                None => limit *= 2,
            }
        }
    });
}

#[test]
fn a_panic_of_the_action_breaks_the_barrier_for_every_party_within_its_limit() {
    within_limit(|| {
        for panicking in 1..=3 {
            let calls = AtomicUsize::new(0);
            let action = move || assert_ne!(calls.fetch_add(1, Ordering::SeqCst) + 1, panicking);
            let barrier = Barrier::new(2).action(action);
            let round = || {
                scope(|s| {
                    let mut other = s.spawn(|| barrier.wait_for(LONG).is_ok()).unwrap();
                    let here = catch_unwind(AssertUnwindSafe(|| barrier.wait_for(LONG).is_ok()));
                    let there = other.join();
                    let panics = usize::from(here.is_err()) + usize::from(there.is_err());
                    (here.unwrap_or(false) || there.unwrap_or(false), panics)
                })
            };
            for call in 1..=3 {
                let expected = if call == panicking {
                    (false, 1)
                } else {
                    (true, 0)
                };
                assert_eq!(round(), expected, "call {call}, panic at {panicking}");
                assert_eq!(barrier.is_broken(), call == panicking);
                barrier.reset();
                assert_eq!(barrier.waiting(), 0);
            }
        }
    });
}

/// A writer that blocks at its first piece of text until the gate opens.
struct Blocked<'a> {
    started: &'a Queue<()>,
    gate: &'a Queue<()>,
}

impl Write for Blocked<'_> {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        let _ = self.started.try_put(());
        self.gate.get().map_err(|_| fmt::Error)
    }
}

#[test]
fn a_blocked_debug_writer_holds_up_no_party() {
    within_limit(|| {
        let (started, gate) = (Queue::bounded(1), Queue::unbounded());
        let barrier = Barrier::new(1);
        scope(|s| {
            s.spawn(|| {
                let mut writer = Blocked {
                    started: &started,
                    gate: &gate,
                };
                assert!(write!(writer, "{barrier:?}").is_err());
            })
            .unwrap();
            started.get().unwrap();
            let mut party = s.spawn(|| barrier.wait()).unwrap();
            assert!(matches!(party.join_for(LONG / 4), Ok(Ok(0))));
            gate.shutdown(threads::Shutdown::Drain);
        });
    });
}
