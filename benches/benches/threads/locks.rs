//! Locks and signals that nobody contends for.

use crate::table::{Goal, Row, measure};
use std::hint::black_box;
use std::time::Instant;
use threads::{Event, Lock, Semaphore};

const TURNS: u32 = 1_000_000;

/// Nanoseconds per turn.
fn time(mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..TURNS).for_each(|_| turn());
    start.elapsed().as_nanos() as f64 / f64::from(TURNS)
}

/// One row each for the lock and the signals.
pub fn rows(rounds: usize) -> Vec<Row> {
    let (lock, peer) = (Lock::new(0_u64), parking_lot::Mutex::new(0_u64));
    let (semaphore, event) = (Semaphore::new(1), Event::new());
    let goal = |ours, peers, target| Goal {
        ours,
        peers,
        target,
    };
    vec![
        measure(
            "Lock, uncontended",
            rounds,
            vec![
                ("ours", Box::new(|| time(|| *lock.lock() += black_box(1)))),
                (
                    "parking_lot",
                    Box::new(|| time(|| *peer.lock() += black_box(1))),
                ),
            ],
            vec![goal("ours", &["parking_lot"], 1.02)],
        ),
        measure(
            "Semaphore, Event without waiters",
            rounds,
            vec![
                (
                    "semaphore pair",
                    Box::new(|| time(|| drop(semaphore.acquire()))),
                ),
                (
                    "event set+clear",
                    Box::new(|| {
                        time(|| {
                            event.set();
                            event.clear();
                        })
                    }),
                ),
                ("lock pair", Box::new(|| time(|| drop(peer.lock())))),
            ],
            vec![
                goal("semaphore pair", &["lock pair"], 1.3),
                goal("event set+clear", &["lock pair"], 1.3),
            ],
        ),
    ]
}
