//! The end of a whole tree of processes: a process and everything below it.
//!
//! A subreaper's descendants stay below it whatever they do: those that begin a session of their own, and those whose parent
//! has ended. Each look kills what it finds, so that the children of the killed ones rise and are found by the next look.
//! None of them is stopped first: if this process died before the kill, they would stay so for ever. Every signal goes
//! through a pidfd: a process id may belong to another process by the time of the signal.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::SignalError;
use crate::process::signal;
use crate::sys::{self, SIGKILL, SIGSTOP};

/// Upper bound of the looks for new processes in a tree. The second look of an ordinary tree finds nothing new.
const MAX_LOOKS: u32 = 100;

/// Time limit for killed processes to end before the last look.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Kills a process and all its descendants. The caller holds a pidfd of the process, which must be a subreaper.
///
/// All of them are tried. The error is the process's own, or that of the first descendant that this process may not
/// signal, such as a set-user-ID program: that one stays.
pub(crate) fn kill_tree(pid: u32, pidfd: BorrowedFd<'_>) -> Result<(), SignalError> {
    let below = kill_all_below(pid);
    signal::send(pid, pidfd, SIGKILL)?;
    below
}

/// Kills a program and all its descendants. It stands still meanwhile, so that it starts nothing more; it is tied to the
/// life of this process.
pub(crate) fn stop_and_kill_tree(pid: u32, pidfd: BorrowedFd<'_>) -> Result<(), SignalError> {
    // What keeps this signal from the program keeps the next from it as well.
    let _ = signal::send(pid, pidfd, SIGSTOP);
    kill_tree(pid, pidfd)
}

/// Kills all descendants of a process that ends itself, as far as it may.
pub(crate) fn kill_descendants(pid: u32) {
    // A process that exits cannot return an error.
    let _ = kill_all_below(pid);
}

fn kill_all_below(pid: u32) -> Result<(), SignalError> {
    let mut known: HashMap<u32, OwnedFd> = HashMap::new();
    let mut result = Ok(());
    let mut is_settled = false;
    for _ in 0..MAX_LOOKS {
        let (found_new, killed) = kill_below(pid, &mut known);
        result = result.and(killed);
        if !found_new && (is_settled || known.is_empty()) {
            break;
        }
        // The kernel's list of children can leave one out while another one ends, and a child of a process that ends is
        // for a moment where it is not looked for. The last look is one after all ends.
        is_settled = !found_new;
        if is_settled {
            await_ends(&known);
        }
    }
    result
}

/// Waits until all of these have ended, for a bounded time: one that may not be signalled goes on.
fn await_ends(killed: &HashMap<u32, OwnedFd>) {
    let deadline = Instant::now() + EXIT_TIMEOUT;
    for pidfd in killed.values() {
        let left = deadline.saturating_duration_since(Instant::now());
        sys::await_readable(pidfd.as_fd(), left);
    }
}

/// Kills the descendants that are not in `killed`, level by level. Returns whether there were any, and the first error.
fn kill_below(root: u32, known: &mut HashMap<u32, OwnedFd>) -> (bool, Result<(), SignalError>) {
    let mut found_new = false;
    let mut result = Ok(());
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            if let Entry::Vacant(entry) = known.entry(child)
                && let Some(pidfd) = open_child(parent, child)
            {
                result = result.and(signal::send(child, pidfd.as_fd(), SIGKILL));
                entry.insert(pidfd);
                found_new = true;
            }
            parents.push(child);
        }
    }
    (found_new, result)
}

/// Opens a child of a process. `None` when the id belongs to another process by now.
fn open_child(parent: u32, child: u32) -> Option<OwnedFd> {
    let pidfd = sys::pidfd_open(child).ok()?;
    // The id cannot be reused between these two lines unless the process has ended; then the signal finds nothing.
    (parent_of(child)? == parent).then_some(pidfd)
}

/// Returns the children of a process, those that have ended but are not collected included.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(
                list.split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            // A thread that has ended since; or a kernel without CONFIG_PROC_CHILDREN.
            Err(_) if thread.path().exists() => return scan_for_children(pid),
            Err(_) => {}
        }
    }
    children
}

/// Returns the children of a process, by a look at every process.
fn scan_for_children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// Returns the parent of a process, from `/proc`.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the state and the parent follow it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
