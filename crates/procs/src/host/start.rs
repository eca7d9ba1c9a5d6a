//! Starts a child: this program once more, with a socket as its standard input.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Command};

use crate::error::{SpawnError, StartError, SystemError};
use crate::host::fork_server;
use crate::host::monitor::Monitor;
use crate::host::socket;
use crate::process::info;
use crate::process::limits::RawLimit;
use crate::process::status::{ExitStatus, ResourceUsage};
use crate::process::stdio::Streams;
use crate::sys;
use crate::task::{self, Task};
use crate::wire::codec;
use crate::wire::marker;
use crate::wire::{Role, Setup, TaskName};

/// How a new process comes to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartMethod {
    /// From the fork server: this program, started once more with the first process that needs it, and duplicated
    /// there. Fast (about a tenth of a millisecond), whatever the size of this process.
    ///
    /// The new process gets the environment, working directory, standard output and standard error that this one has at
    /// that moment. Everything else that is inherited (limits, priority, signal masks, control group) is as it was when
    /// the fork server was started.
    #[default]
    ForkServer,
    /// This program, started anew for each process: slower (about a millisecond), with an address layout of its own, and
    /// with everything as it is in this process at that moment.
    Spawn,
}

/// How a child is made, and what it inherits.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpawnOptions {
    pub(crate) method: StartMethod,
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) limits: Vec<RawLimit>,
    pub(crate) streams: Streams,
}

impl SpawnOptions {
    /// Checks what the system could not take.
    ///
    /// # Errors
    ///
    /// A variable whose name is empty or holds `=` or a zero byte, a value or a directory that holds a zero byte.
    pub(crate) fn check(&self) -> Result<(), SpawnError> {
        let has_zero = |text: &OsStr| text.as_bytes().contains(&0);
        for (key, value) in &self.env {
            if !is_variable_name(key) || value.as_deref().is_some_and(has_zero) {
                return Err(SpawnError::InvalidVariable(key.clone()));
            }
        }
        match &self.cwd {
            Some(cwd) if has_zero(cwd.as_os_str()) => {
                Err(SpawnError::InvalidDirectory(cwd.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the environment can hold a variable of this name: not empty, without `=`, without a zero byte.
///
/// An environment that was inherited can hold entries that begin with `=`. They cannot be set.
pub(crate) fn is_variable_name(key: &OsStr) -> bool {
    let bytes = key.as_bytes();
    !bytes.is_empty() && !bytes.contains(&b'=') && !bytes.contains(&0)
}

/// A child that has been started, and nothing said to it yet.
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) stream: UnixStream,
}

/// Starts a child.
pub(crate) fn start(options: &SpawnOptions, name: &str) -> Result<Child, StartError> {
    let child = match options.method {
        StartMethod::ForkServer => fork_server::start(options, name)?,
        StartMethod::Spawn => execute(options, process::id().to_string())?,
    };
    info::child_started(child.pid, name);
    Ok(child)
}

/// Starts this program once more. The marker tells it what it is.
pub(crate) fn execute(options: &SpawnOptions, marker: String) -> Result<Child, SystemError> {
    let keeper = Monitor::get()?;
    let (ours, theirs) =
        socket::pair().map_err(SystemError::new("make a socket pair for a new process"))?;
    // The kernel follows this link in the child to the very file that runs here, even if it was replaced on disk.
    let mut command = Command::new("/proc/self/exe");
    if let Some(program) = std::env::args_os().next() {
        command.arg0(program);
    }
    for (key, value) in &options.env {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    if let Some(cwd) = &options.cwd {
        command.current_dir(cwd);
    }
    // A socket as stdin keeps the standard library on its posix_spawn path, whose cost does not grow with the parent.
    command
        .env(marker::MARKER, marker)
        .stdin(OwnedFd::from(theirs));
    let (pid, pidfd) = keeper
        .start(command)
        .map_err(SystemError::new("start a process"))?;
    Ok(Child {
        pid,
        pidfd,
        stream: ours,
    })
}

/// Collects a child that has ended; `None` while it runs.
pub(crate) fn collect(pid: u32, pidfd: &OwnedFd) -> Option<(ExitStatus, ResourceUsage)> {
    let end = match sys::reap(pidfd.as_fd()) {
        Ok(None) => return None,
        Ok(Some((end, usage))) => (ExitStatus::new(end), usage),
        // Somebody else waited for it.
        Err(_) => (ExitStatus::UNKNOWN, ResourceUsage::default()),
    };
    info::child_ended(pid);
    Some(end)
}

/// A task as it is named on the wire, if the name is unambiguous.
pub(crate) fn name_of<T: Task>() -> Result<TaskName, SpawnError> {
    let id = task::id_of::<T>();
    if task::is_ambiguous(id) {
        return Err(SpawnError::AmbiguousTask(T::NAME));
    }
    Ok(TaskName {
        id,
        name: T::NAME.to_owned(),
        signature: T::SIGNATURE.to_owned(),
    })
}

/// The first bytes to a child: its set-up. `replaced`: the standard streams whose descriptors come with it.
pub(crate) fn setup(
    name: &str,
    depth: u32,
    options: &SpawnOptions,
    replaced: [bool; 3],
    duty: Role,
) -> Result<Vec<u8>, SystemError> {
    let setup = Setup {
        build: marker::build()?,
        depth,
        name: name.to_owned(),
        parent_name: info::current().name().to_owned(),
        limits: options.limits.clone(),
        replaced,
        duty,
    };
    let body = codec::to_vec(&setup)
        .map_err(io::Error::other)
        .map_err(SystemError::new("encode a new process's set-up"))?;
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Sends a child the descriptors in its arguments, if there are some, with the first bytes of its set-up. Returns how many
/// bytes that were.
pub(crate) fn pass(
    child: &Child,
    greeting: &[u8],
    descriptors: &[OwnedFd],
) -> (usize, Result<(), SystemError>) {
    if descriptors.is_empty() {
        return (0, Ok(()));
    }
    // So few bytes find room in an empty socket.
    let first = &greeting[..size_of::<u32>()];
    let passed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    match sys::send_with_descriptors(child.stream.as_fd(), first, &passed) {
        Ok(()) => (first.len(), Ok(())),
        // It has ended already; its end says more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => (0, Ok(())),
        Err(error) => {
            let error = SystemError::new("send descriptors to a new process")(error);
            (0, Err(error))
        }
    }
}

/// The arguments that follow the set-up.
pub(crate) fn put_args(bytes: &mut Vec<u8>, args: &[u8]) {
    bytes.extend_from_slice(&(args.len() as u64).to_le_bytes());
    bytes.extend_from_slice(args);
}
