//! Sleeping and waking by words of shared memory.

use std::time::Duration;

use super::{SharedMap, futex_sleep, futex_wake_up};

/// Spins between two looks at a word that another processor is about to change.
pub(crate) const SPINS: u32 = 64;

/// Sleeps until a thread wakes this word of a map, at most for `time`. Returns at once if the word is not as expected.
pub(crate) fn futex_wait(map: &SharedMap, offset: usize, expected: u32, time: Duration) {
    futex_sleep(map.half_word(offset), expected, time);
}

/// Wakes up to `count` threads that sleep on this word of a map. Returns the number of threads.
pub(crate) fn futex_wake(map: &SharedMap, offset: usize, count: i32) -> usize {
    futex_wake_up(map.half_word(offset), count)
}
