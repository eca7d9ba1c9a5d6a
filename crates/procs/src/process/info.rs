//! Information about this process, its parent and its children.

use std::collections::BTreeMap;
use std::process;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A process: its id and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    pid: u32,
    name: String,
}

impl ProcessInfo {
    pub(crate) fn new(pid: u32, name: String) -> Self {
        Self { pid, name }
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the name: `MainProcess` for a program that this crate has not started; otherwise the one given to the
    /// builder, or
    /// `Process-N` or `Worker-N`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Information about a child from its handshake.
struct Identity {
    name: String,
    depth: u32,
    parent: ProcessInfo,
}

static IDENTITY: OnceLock<Identity> = OnceLock::new();

/// The children that this process has started and not yet collected.
static CHILDREN: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

/// Stores, once, that this process is a child.
pub(crate) fn become_child(name: String, depth: u32, parent: ProcessInfo) {
    // A second call is impossible: a child does its one duty and exits.
    let _ = IDENTITY.set(Identity {
        name,
        depth,
        parent,
    });
}

/// Number of processes between this one and the program's first.
pub(crate) fn depth() -> u32 {
    IDENTITY.get().map_or(0, |identity| identity.depth)
}

pub(crate) fn child_started(pid: u32, name: &str) {
    CHILDREN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(pid, name.to_owned());
}

pub(crate) fn child_ended(pid: u32) {
    CHILDREN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&pid);
}

/// Whether this process has started the child and not yet collected it.
pub(crate) fn is_child(pid: u32) -> bool {
    let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    children.contains_key(&pid)
}

/// Returns the id and the name of this process.
///
/// ```
/// assert_eq!(procs::current().name(), "MainProcess");
/// assert_eq!(procs::current().pid(), std::process::id());
/// ```
#[doc(alias = "current_process")]
#[doc(alias = "getpid")]
pub fn current() -> ProcessInfo {
    let name = IDENTITY
        .get()
        .map_or("MainProcess", |identity| &identity.name);
    ProcessInfo::new(process::id(), name.to_owned())
}

/// Returns the process that started this one through this crate; `None` in the program's first process.
///
/// A child never outlives its parent, so the result stays valid.
///
/// ```
/// assert_eq!(procs::parent(), None);
/// ```
#[doc(alias = "parent_process")]
#[doc(alias = "getppid")]
pub fn parent() -> Option<ProcessInfo> {
    IDENTITY.get().map(|identity| identity.parent.clone())
}

/// Returns the processes and workers that this process has started and that have not ended, by process id.
///
/// ```
/// procs::init();
/// assert!(procs::active_children().is_empty());
/// ```
pub fn active_children() -> Vec<ProcessInfo> {
    let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    children
        .iter()
        .map(|(pid, name)| ProcessInfo::new(*pid, name.clone()))
        .collect()
}
