//! `aio` against tokio, async-executor, raw epoll, and CPython's asyncio, with uvloop where it can be imported.

mod client;
mod echo;
mod queues;
mod servers;
mod sleepers;
mod tasks;
mod wakes;

use std::collections::HashMap;

use tokio::runtime::{Builder, Runtime};

use super::{Row, python};

/// CPython's nanoseconds, by name; empty without python3.
type Figures = HashMap<String, f64>;

/// Every row: callbacks and tasks, queues, wakes from other threads, sleeping tasks, the echo servers.
///
/// Servers and sleeping tasks run in processes of their own: the program must call [`procs::init`] first.
#[must_use]
pub fn rows(rounds: usize) -> Vec<Row> {
    let mut original = python::figures("aio.py", &[]).unwrap_or_default();
    let uvloop = if original.is_empty() {
        None
    } else {
        python::figures("aio.py", &["uvloop"])
    };
    if uvloop.is_none() {
        eprintln!("uvloop cannot be imported here: its rows are left out");
    }
    let uvloop = uvloop.unwrap_or_default();
    original.extend(
        uvloop
            .iter()
            .map(|(name, figure)| (format!("uvloop/{name}"), *figure)),
    );
    let mut rows = tasks::rows(rounds, &original);
    rows.extend(queues::rows(rounds, &original));
    rows.extend(wakes::rows(rounds, &original));
    rows.extend(sleepers::rows(rounds, &original));
    rows.extend(echo::rows(rounds, !uvloop.is_empty()));
    rows
}

/// The peer's runtime that is like a loop: everything on this thread.
fn tokio() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("descriptors for a runtime")
}
