//! The mark of a child: an environment variable *and* a standard input that is a socket of the process named there.
//!
//! Programs that a task runs inherit the variable but not the socket, and start as usual. A child that has got rid of both
//! its parent and its socket before it calls [`init`](crate::init) cannot be told from them. The depth in the variable
//! bounds the chain of programs that start each other then.

use std::env;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::{SpawnError, SystemError};
use crate::process::info;
use crate::sys;
use crate::task;

/// Marks a child; holds the pid of its parent, its depth, and the word for a fork server if it is to be one.
pub(crate) const MARKER: &str = "PROCS_CHILD_OF";

/// Marks a fork server.
const FORK_SERVER: &str = "forkserver";

/// The largest depth of nested processes. Deeper is a runaway recursion rather than a plan.
pub(crate) const MAX_DEPTH: u32 = 16;

/// Whether this process has passed the entry.
static PASSED: AtomicBool = AtomicBool::new(false);

/// The exit code of a child whose standard input was replaced before it called [`init`](crate::init).
pub(crate) const INIT_TOO_LATE: i32 = 112;

/// What a process is, by its environment and its standard input.
pub(crate) enum Started {
    /// A program that was started from outside, or by a task as any other program.
    Program,
    /// A child that has not begun.
    Child(ChildMarker),
    /// A child whose standard input is no longer the socket to its parent: it must not run `main` as the program does.
    TooLate,
}

/// The mark of a child.
pub(crate) struct ChildMarker {
    pub(crate) parent: u32,
    pub(crate) fork_server: bool,
}

/// Tells how this process was started.
///
/// A program that a task runs inherits the variable, but its parent is the process that runs the task and not the one
/// that the variable names.
pub(crate) fn started() -> Started {
    let Some((child_marker, _)) = inherited() else {
        return Started::Program;
    };
    let parent = child_marker.parent;
    let stdin = io::stdin();
    let stdin = stdin.as_fd();
    if sys::is_unix_stream(stdin) && sys::peer_pid(stdin) == Some(parent) {
        return Started::Child(child_marker);
    }
    if sys::parent_pid() == parent && !PASSED.load(Relaxed) && info::depth() == 0 {
        return Started::TooLate;
    }
    Started::Program
}

/// The mark of a child, and its depth, as the environment has them: also in programs that inherited it.
fn inherited() -> Option<(ChildMarker, u32)> {
    let marker = env::var(MARKER).ok()?;
    let mut words = marker.split(' ');
    let parent = words.next()?.parse().ok()?;
    let depth = words.next()?.parse().ok()?;
    let fork_server = words.next() == Some(FORK_SERVER);
    Some((
        ChildMarker {
            parent,
            fork_server,
        },
        depth,
    ))
}

/// How many processes lie between this one and the program's first, whether or not it is known as a child.
fn depth() -> u32 {
    let marked = inherited().map_or(0, |(_, depth)| depth);
    info::depth().max(marked)
}

/// The mark of a child of this process.
pub(crate) fn of_child(fork_server: bool) -> String {
    let (parent, depth) = (std::process::id(), depth() + 1);
    if fork_server {
        format!("{parent} {depth} {FORK_SERVER}")
    } else {
        format!("{parent} {depth}")
    }
}

/// Notes that this process has passed the entry.
pub(crate) fn pass() {
    PASSED.store(true, Relaxed);
}

/// Checks that this process can start others. Returns the depth at which they would be nested.
pub(crate) fn permit() -> Result<u32, SpawnError> {
    if !PASSED.load(Relaxed) {
        return Err(match started() {
            Started::Program => SpawnError::InitMissing,
            Started::Child(_) => SpawnError::InitSkipped,
            Started::TooLate => SpawnError::InitTooLate,
        });
    }
    let depth = depth() + 1;
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
