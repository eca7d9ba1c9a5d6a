//! `procs` against procspawn, ipc-channel, std and CPython's multiprocessing.

mod locks;
mod messages;
mod pools;
mod starts;

use std::time::Instant;

use super::Row;
use crate::peers::original::Original;

/// Lets a process that a peer has started begin its work. Called first in `main`, after `procs::init`.
pub fn init() {
    procspawn::init();
}

/// Every row, in the order pools, messages, locks, starts.
#[must_use]
pub fn rows(rounds: usize) -> Vec<Row> {
    let python = Original::start("procs.py", &[]);
    let mut rows = pools::rows(rounds, &python);
    rows.extend(messages::rows(rounds, &python));
    rows.extend(locks::rows(rounds, &python));
    rows.extend(starts::rows(rounds, &python));
    rows
}

/// Nanoseconds for each of `count`.
fn time(count: usize, run: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    run();
    begun.elapsed().as_nanos() as f64 / count as f64
}
