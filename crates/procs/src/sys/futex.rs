//! Sleeps and wake-ups on words of shared memory (`futex(2)`).

use std::mem;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::memory::SharedMap;

/// Number of spins between two reads of a word that another processor is about to change.
pub(crate) const SPINS: u32 = 64;

/// Sleeps until a thread wakes this word of a map, at most for `time`. Returns at once if the value is not the expected one.
pub(crate) fn futex_wait(map: &SharedMap, offset: usize, expected: u32, time: Duration) {
    futex_sleep(map.half_word(offset), expected, time);
}

/// Wakes up to `count` threads that sleep on this word of a map. Returns the number of threads.
pub(crate) fn futex_wake(map: &SharedMap, offset: usize, count: i32) -> usize {
    futex_wake_up(map.half_word(offset), count)
}

/// Sleeps until a thread wakes the word, at most for `time`. Returns at once if the value is not the expected one. May
/// return early.
pub(crate) fn futex_sleep(word: &AtomicU32, expected: u32, time: Duration) {
    // SAFETY: timespec is plain C data, for which all zeroes is a valid value.
    let mut limit: libc::timespec = unsafe { mem::zeroed() };
    limit.tv_sec = time.as_secs().try_into().unwrap_or(i32::MAX.into());
    limit.tv_nsec = time.subsec_nanos().into();
    // SAFETY: the word is aligned and lives during the call, as does `limit`. The integers are as wide as the kernel's
    // registers. Every result means that the caller checks its condition again.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word),
            libc::c_long::from(libc::FUTEX_WAIT),
            libc::c_long::from(expected),
            &raw const limit,
        )
    };
}

/// Wakes up to `count` threads that sleep on the word. Returns the number of threads.
pub(crate) fn futex_wake_up(word: &AtomicU32, count: i32) -> usize {
    // SAFETY: the word is aligned and lives during the call; the kernel does not change it. The integers are as wide as
    // the kernel's registers.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            ptr::from_ref(word),
            libc::c_long::from(libc::FUTEX_WAKE),
            libc::c_long::from(count),
        )
    };
    usize::try_from(woken).unwrap_or(0)
}
