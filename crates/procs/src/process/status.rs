//! How a process ended.

use std::fmt;
use std::time::Duration;

/// How a process ended: with an exit code, or by a signal.
///
/// When another part of the program collected the child first (a `waitpid(-1)`, or SIGCHLD set to "ignore"), the kernel
/// has forgotten how it ended, and both [`code`](Self::code) and [`signal`](Self::signal) are `None`.
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
pub struct ExitStatus {
    code: Option<i32>,
    signal: Option<i32>,
}

impl ExitStatus {
    /// Nobody knows any more.
    pub(crate) const UNKNOWN: Self = Self {
        code: None,
        signal: None,
    };

    /// From the kernel's answer: an exit code, or the number of a signal.
    pub(crate) fn new(end: Result<i32, i32>) -> Self {
        Self {
            code: end.ok(),
            signal: end.err(),
        }
    }

    /// From what [`code`](Self::code) and [`signal`](Self::signal) said.
    pub(crate) fn from_parts(code: Option<i32>, signal: Option<i32>) -> Self {
        Self { code, signal }
    }

    /// The exit code, if the process exited.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// The number of the signal that killed the process, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.signal
    }

    /// Whether the process exited with code 0.
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

/// The usual name of a signal.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT: aborted",
        libc::SIGBUS => "SIGBUS: bad memory access",
        libc::SIGFPE => "SIGFPE: arithmetic fault",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL: illegal instruction",
        libc::SIGINT => "SIGINT: interrupted",
        libc::SIGKILL => "SIGKILL: killed, perhaps for want of memory",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV: bad memory access",
        libc::SIGTERM => "SIGTERM: asked to end",
        libc::SIGXCPU => "SIGXCPU: CPU limit reached",
        _ => "see signal(7)",
    }
}

/// What a process used up in its life, as the kernel counted it.
///
/// All zero when another part of the program collected the child first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) peak_memory: u64,
}

impl ResourceUsage {
    /// CPU time spent in its own code.
    pub fn user_time(&self) -> Duration {
        self.user
    }

    /// CPU time that the kernel spent for it.
    pub fn system_time(&self) -> Duration {
        self.system
    }

    /// The most memory that it held at once, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.peak_memory
    }
}
