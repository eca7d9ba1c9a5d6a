//! A lock between processes that nobody contends for.

use procs::sync::Lock;

use super::time;
use crate::peers::original::Original;
use crate::peers::{Contest, Row, Target};

const TURNS: usize = 200_000;

/// The row of the lock.
pub fn rows(rounds: usize, python: &Original) -> Vec<Row> {
    let lock = Lock::new().expect("there is memory");
    let contest = Contest::new("procs", "Lock, uncontended").entrant("ours", || {
        time(TURNS, || {
            for _ in 0..TURNS {
                drop(lock.lock().expect("nobody has died"));
            }
        })
    });
    python
        .enter(contest, "multiprocessing.Lock", "lock")
        .goal("ours", &["multiprocessing.Lock"], Target::Ratio(0.1))
        .run(rounds)
}
