//! How many CPUs this process may use.

use std::num::NonZero;
use std::thread;

/// Returns the number of CPUs that this process may use: at least 1.
///
/// Counts what the affinity mask allows, and no more than the CPU quota of the control group (version 1 or 2), so that
/// a container limited to two CPUs of sixty-four gets 2.
///
/// ```
/// assert!(procs::cpu_count() >= 1);
/// ```
#[doc(alias = "available_parallelism")]
#[doc(alias = "process_cpu_count")]
pub fn cpu_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}
