//! How a process ended.

use std::fmt;
use std::time::Duration;

/// Exit status of a process: an exit code, or the signal that killed it.
///
/// If another part of the program collected the child first (a `waitpid(-1)`, or SIGCHLD set to "ignore"), the kernel keeps
/// no status, and both [`code`](Self::code) and [`signal`](Self::signal) are `None`.
///
/// ```
/// #[procs::task]
/// fn nothing() {}
///
/// #[procs::main]
/// fn main() {
///     let mut process = procs::spawn(nothing, ()).unwrap();
///     process.join().unwrap();
///     let status = process.exit_status().unwrap();
///     assert!(status.success());
///     assert_eq!((status.code(), status.signal()), (Some(0), None));
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "exitcode")]
#[doc(alias = "returncode")]
pub struct ExitStatus {
    code: Option<i32>,
    signal: Option<i32>,
}

impl ExitStatus {
    /// Another part of the program collected the status.
    pub(crate) const UNKNOWN: Self = Self {
        code: None,
        signal: None,
    };

    /// Makes a status of an exit code, or of the number of a signal.
    pub(crate) fn new(end: Result<i32, i32>) -> Self {
        Self {
            code: end.ok(),
            signal: end.err(),
        }
    }

    /// Returns the exit code, if the process exited.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// Returns the number of the signal that killed the process, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// Returns whether the process exited with code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "it exited with code {code}"),
            (None, Some(signal)) => write!(
                f,
                "it was killed by signal {signal} ({})",
                signal_name(signal)
            ),
            (None, None) => {
                f.write_str("it ended, and another part of the program collected its status")
            }
        }
    }
}

/// Returns the usual name of a signal.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT: aborted",
        libc::SIGBUS => "SIGBUS: bad memory access",
        libc::SIGFPE => "SIGFPE: arithmetic fault",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL: illegal instruction",
        libc::SIGINT => "SIGINT: interrupted",
        libc::SIGKILL => "SIGKILL: killed, perhaps for lack of memory",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV: bad memory access",
        libc::SIGTERM => "SIGTERM: terminated",
        libc::SIGXCPU => "SIGXCPU: CPU limit reached",
        _ => "see signal(7)",
    }
}

/// Resources that a process used in its life, as the kernel counted them.
///
/// All zero when another part of the program collected the child first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "rusage")]
#[doc(alias = "getrusage")]
pub struct ResourceUsage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) peak_memory: u64,
}

impl ResourceUsage {
    /// Returns the CPU time that the process spent in user mode.
    pub fn user_time(&self) -> Duration {
        self.user
    }

    /// Returns the CPU time that the kernel spent for the process.
    pub fn system_time(&self) -> Duration {
        self.system
    }

    /// Returns the peak of the process's resident memory, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.peak_memory
    }
}
