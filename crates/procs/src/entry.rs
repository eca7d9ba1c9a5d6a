//! The entry of a program: tells an ordinary start from that of a child, and turns a child to its duty.
//!
//! A child is recognised by an environment variable *and* by its standard input: a socket that the process named in the
//! variable made. Programs that a task runs inherit the variable, but not the socket, and start as usual.

use std::env;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::child;
use crate::error::{SpawnError, SystemError};
use crate::info;
use crate::sys;
use crate::task;

/// Marks a child; holds the pid of its parent, and the word for a fork server if it is to be one.
pub(crate) const MARKER: &str = "PROCS_CHILD_OF";

/// Marks a fork server.
pub(crate) const FORK_SERVER: &str = "forkserver";

/// How deep processes may nest. Deeper is a runaway recursion rather than a plan.
pub(crate) const MAX_DEPTH: u32 = 16;

/// Whether this process has passed the entry.
static PASSED: AtomicBool = AtomicBool::new(false);

/// Makes this program able to start processes of itself. Call it first in `main`.
///
/// A process starts by running this same program again. In such a child `init` does not return: it runs the task that
/// the parent asked for and exits. In an ordinary start it only notes that it was called, and returns at once; without
/// that note nothing can be spawned ([`SpawnError::InitMissing`]), so that a forgotten `init` is an error and not an
/// endless chain of programs that start each other.
///
/// What stands before the call is done by every child too: argument parsing, log set-up, threads. It must be called on
/// the main thread; elsewhere it does nothing. [`#[procs::main]`](macro@crate::main) calls it for you, and
/// [`test_support!`](crate::test_support) does the same in a test file, which has no `main` of its own.
///
/// ```
/// #[procs::task]
/// fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// fn main() {
///     procs::init();
///     let mut process = procs::spawn(double, 21).unwrap();
///     assert_eq!(process.join().unwrap(), 42);
/// }
/// ```
pub fn init() {
    match summons() {
        Some(summons) => process::exit(child::live(&summons, Place::InMain(sys::is_main_thread()))),
        None if sys::is_main_thread() => pass(),
        None => {}
    }
}

/// What [`test_support!`](crate::test_support) runs before `main`.
///
/// Rust's runtime has not started yet, so it must be done by hand what the runtime does for `main`: SIGPIPE is ignored,
/// and the task runs on a thread of the standard library, which has a name and a guard page.
pub extern "C" fn before_main() {
    match summons() {
        None => pass(),
        Some(summons) => {
            sys::ignore_sigpipe();
            process::exit(child::live(&summons, Place::BeforeMain));
        }
    }
}

/// The order to be a child.
pub(crate) struct Summons {
    pub(crate) parent: u32,
    pub(crate) fork_server: bool,
}

/// Where the entry was called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In `main` or below; on the main thread or not.
    InMain(bool),
    /// Before `main`.
    BeforeMain,
}

/// The order to be a child, if this process was started to be one and has not begun.
fn summons() -> Option<Summons> {
    let marker = env::var(MARKER).ok()?;
    let (parent, role) = marker.split_once(' ').unwrap_or((&marker, ""));
    let parent = parent.parse().ok()?;
    let stdin = io::stdin();
    let stdin = stdin.as_fd();
    let ours = sys::is_unix_stream(stdin) && sys::peer_pid(stdin) == Some(parent);
    ours.then(|| Summons {
        parent,
        fork_server: role == FORK_SERVER,
    })
}

/// Notes that this process has passed the entry.
pub(crate) fn pass() {
    PASSED.store(true, Relaxed);
}

/// May this process start others? Returns how deep they would be.
pub(crate) fn permit() -> Result<u32, SpawnError> {
    if !PASSED.load(Relaxed) {
        return Err(if summons().is_some() {
            SpawnError::InitSkipped
        } else {
            SpawnError::InitMissing
        });
    }
    let depth = info::depth() + 1;
    if depth > MAX_DEPTH {
        Err(SpawnError::TooDeep(MAX_DEPTH))
    } else {
        Ok(depth)
    }
}

/// A number that differs between builds: of the running file, even if it was replaced on disk, and of its tasks.
pub(crate) fn build() -> Result<u64, SystemError> {
    static BUILD: OnceLock<u64> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(*build);
    }
    let file = fs::metadata("/proc/self/exe")
        .map_err(SystemError::new("find this program's file in /proc"))?;
    let parts = [
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime().cast_unsigned(),
        file.mtime_nsec().cast_unsigned(),
    ];
    let build = parts.iter().fold(task::table_hash(), |hash, part| {
        (hash.rotate_left(7) ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    Ok(*BUILD.get_or_init(|| build))
}
