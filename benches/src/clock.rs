//! Clocks: one that all processes of this machine share, and that of this thread's work.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock.
///
/// Unlike [`std::time::Instant`] the figure may be sent to another process and compared there:
/// `CLOCK_MONOTONIC` is one clock for the whole machine.
///
/// ```
/// let before = benches::clock::now_ns();
/// assert!(benches::clock::now_ns() >= before);
/// ```
#[must_use]
pub fn now_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Nanoseconds that this thread has had a processor for, whatever else the machine did meanwhile.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: ClockId) -> u64 {
    // The call can fail only for a clock that the kernel does not know; every Linux knows these.
    let time = clock_gettime(clock).unwrap_or_else(|_| std::time::Duration::ZERO.into());
    u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec()).unwrap_or(0)
}
