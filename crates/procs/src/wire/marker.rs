//! The marker of a child: an environment variable *and* a standard input that is a socket of the process it names.
//!
//! Programs that a task runs inherit the variable but not the socket, and start as usual. A child that has lost both its
//! parent and its socket before it calls [`init`](crate::init) looks like such a program. The depth in the variable then
//! bounds the chain of programs that start each other.

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

/// Environment variable of a child: the pid of its parent, its depth, and [`FORK_SERVER`] for a fork server.
pub(crate) const MARKER: &str = "PROCS_CHILD_OF";

/// Third word of the marker of a fork server.
const FORK_SERVER: &str = "forkserver";

/// Largest depth of nested processes. A deeper nesting is taken for a runaway recursion.
pub(crate) const MAX_DEPTH: u32 = 16;

/// Whether this process has run [`init`](crate::init), or has applied its parent's handshake.
static INITIALIZED: AtomicBool = AtomicBool::new(false);

/// The exit code of a child whose standard input was replaced before it called [`init`](crate::init).
pub(crate) const INIT_TOO_LATE: i32 = 112;

/// Kind of this process, by its environment and its standard input.
pub(crate) enum Started {
    /// A program that was not started by this crate, or that a task has run.
    Program,
    /// A child that has not received its handshake.
    Child(ChildMarker),
    /// A child whose standard input is no longer the socket to its parent: it must not run `main` as the program does.
    TooLate,
}

/// The marker of a child, decoded.
pub(crate) struct ChildMarker {
    pub(crate) parent: u32,
    pub(crate) fork_server: bool,
}

/// Returns how this process was started.
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
    if sys::parent_pid() == parent && !INITIALIZED.load(Relaxed) && info::depth() == 0 {
        return Started::TooLate;
    }
    Started::Program
}

/// Returns the marker and the depth in the environment. A program that a task runs has inherited them.
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

/// Returns the depth of this process, whether or not it has applied a handshake. The program's first process has depth 0.
fn depth() -> u32 {
    let marked = inherited().map_or(0, |(_, depth)| depth);
    info::depth().max(marked)
}

/// Returns the marker for a child of this process.
pub(crate) fn of_child(fork_server: bool) -> String {
    let (parent, depth) = (std::process::id(), depth() + 1);
    if fork_server {
        format!("{parent} {depth} {FORK_SERVER}")
    } else {
        format!("{parent} {depth}")
    }
}

/// Enables this process to start others.
pub(crate) fn mark_initialized() {
    INITIALIZED.store(true, Relaxed);
}

/// Checks that this process can start others. Returns their depth.
pub(crate) fn check_can_spawn() -> Result<u32, SpawnError> {
    if !INITIALIZED.load(Relaxed) {
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

/// Returns a number that identifies the build: the file that runs, even if it was replaced on disk, and its tasks.
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
