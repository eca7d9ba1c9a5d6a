//! Limits that the system sets to a process.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sys;

/// A limit that the system sets to a process and to those that it starts.
///
/// ```
/// use procs::{Limit, Process, ProcessError};
///
/// #[procs::task]
/// fn fill(bytes: usize) -> usize {
///     vec![1_u8; bytes].iter().map(|byte| usize::from(*byte)).sum()
/// }
///
/// #[procs::main]
/// fn main() {
///     let limited = Process::builder().limit(Limit::Memory(100 << 20));
///     assert_eq!(limited.spawn(fill, 1 << 20).unwrap().join().unwrap(), 1 << 20);
///     let error = limited.spawn(fill, 1 << 30).unwrap().join().unwrap_err();
///     assert!(matches!(error, ProcessError::Died { .. }));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "setrlimit")]
#[doc(alias = "rlimit")]
#[doc(alias = "ulimit")]
pub enum Limit {
    /// Memory of its own, in bytes: heap, stacks of threads, private maps. An allocation beyond it fails; in most Rust
    /// programs that aborts the process. A process that does nothing has about 10 MiB.
    Memory(u64),
    /// CPU time. A process that has used so much, rounded up to seconds, is killed (SIGKILL).
    CpuTime(Duration),
    /// Open descriptors.
    OpenFiles(u64),
    /// The size to which it may write a file, in bytes. A write beyond it kills the process (SIGXFSZ).
    FileSize(u64),
    /// The size of a core file, in bytes: 0 for none.
    CoreSize(u64),
}

/// A limit as it travels: the system's number for the resource, and the value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct RawLimit {
    resource: i64,
    value: u64,
}

impl From<Limit> for RawLimit {
    fn from(limit: Limit) -> Self {
        let (resource, value) = match limit {
            Limit::Memory(bytes) => (libc::RLIMIT_DATA, bytes),
            Limit::CpuTime(time) => (
                libc::RLIMIT_CPU,
                time.as_secs()
                    .saturating_add(u64::from(time.subsec_nanos() > 0)),
            ),
            Limit::OpenFiles(count) => (libc::RLIMIT_NOFILE, count),
            Limit::FileSize(bytes) => (libc::RLIMIT_FSIZE, bytes),
            Limit::CoreSize(bytes) => (libc::RLIMIT_CORE, bytes),
        };
        // The type of the resource's number differs between the C libraries; the numbers are small.
        Self {
            resource: i64::from(resource),
            value,
        }
    }
}

impl RawLimit {
    /// Sets the limit to this process, for good.
    pub(crate) fn apply(self) -> io::Result<()> {
        sys::set_limit(self.resource, self.value)
    }
}
