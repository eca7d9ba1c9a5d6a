//! Counts, for unit tests, what no public method shows: how often a wait for several jobs looks at one of them.

use std::cell::Cell;

thread_local! {
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn count() {
    VISITS.set(VISITS.get() + 1);
}

/// Runs `f` and returns the calling thread's visits.
pub(super) fn during(f: impl FnOnce()) -> usize {
    VISITS.set(0);
    f();
    VISITS.take()
}
