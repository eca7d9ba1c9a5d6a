//! Locks and signals that nobody contends for.

use crate::peers::{Contest, Row, Target};
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

/// A row for the lock and one for each signal.
pub fn rows(rounds: usize) -> Vec<Row> {
    let (lock, peer) = (Lock::new(0_u64), parking_lot::Mutex::new(0_u64));
    let (semaphore, event) = (Semaphore::new(1), Event::new());
    let mut rows = Contest::new("threads", "Lock, uncontended")
        .entrant("ours", || time(|| *lock.lock() += black_box(1)))
        .entrant("parking_lot", || time(|| *peer.lock() += black_box(1)))
        .goal("ours", &["parking_lot"], Target::Ratio(1.02))
        .run(rounds);
    rows.extend(
        Contest::new("threads", "without waiters")
            .entrant("Semaphore acquire+release", || {
                time(|| drop(semaphore.acquire()))
            })
            .entrant("Event set+clear", || {
                time(|| {
                    event.set();
                    event.clear();
                })
            })
            .entrant("a lock pair", || time(|| drop(peer.lock())))
            .goal(
                "Semaphore acquire+release",
                &["a lock pair"],
                Target::Ratio(1.3),
            )
            .goal("Event set+clear", &["a lock pair"], Target::Ratio(1.3))
            .run(rounds),
    );
    rows
}
