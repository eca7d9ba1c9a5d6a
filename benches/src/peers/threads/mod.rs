//! `threads` against crossbeam-channel, kanal, parking_lot, rayon, threadpool and CPython.

mod locks;
mod pools;
mod queues;

use std::collections::HashMap;

use super::{Row, python};

/// CPython's nanoseconds, by name; empty without python3.
type Figures = HashMap<String, f64>;

/// Every row, in the order queues, locks and signals, pools.
#[must_use]
pub fn rows(rounds: usize) -> Vec<Row> {
    let original = python::figures("threads.py", &[]).unwrap_or_default();
    let mut rows = queues::rows(rounds, &original);
    rows.extend(locks::rows(rounds));
    rows.extend(pools::rows(rounds, &original));
    rows
}
