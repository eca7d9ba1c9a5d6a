//! Children as seen by their parent: execution, kill, collection.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{InvalidOption, SystemError, check_variable};
use crate::host::socket;
use crate::process::group::ProcessGroup;
use crate::process::info;
use crate::process::limits::RawLimit;
use crate::process::status::{ExitStatus, ResourceUsage};
use crate::process::stdio::Streams;
use crate::sys::{self, Execution, FailedStep, ParentDeath, SIGKILL};
use crate::wire::marker;

/// How a new process is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "set_start_method")]
#[doc(alias = "forkserver")]
pub enum StartMethod {
    /// By the fork server: a second instance of this program, started with the first process that needs it, which clones
    /// itself. A start takes about a tenth of a millisecond, whatever the size of this process.
    ///
    /// The new process gets the environment, working directory, standard output and standard error that this one has at
    /// that moment. It also inherits this process's current users, groups, capabilities, limits, priority, umask, ignored
    /// signals, CPUs, root directory, session and control group. After a change of one of these, the next start takes about a
    /// millisecond, for a new fork server. No signal is blocked.
    #[default]
    ForkServer,
    /// By executing this program for each process. A start takes about a millisecond. The new process has an address
    /// layout of its own, and inherits what this one has at that moment.
    Spawn,
}

/// How a child is started, and its attributes.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpawnOptions {
    pub(crate) method: StartMethod,
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) limits: Vec<RawLimit>,
    pub(crate) streams: Streams,
    pub(crate) group: ProcessGroup,
}

impl SpawnOptions {
    /// Refuses options that the system cannot represent.
    pub(crate) fn check(&self) -> Result<(), InvalidOption> {
        for (name, value) in &self.env {
            check_variable(name, value.as_deref())?;
        }
        match &self.cwd {
            Some(cwd) if cwd.as_os_str().as_bytes().contains(&0) => {
                Err(InvalidOption::WorkingDirectory(cwd.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// A child that has been started and waits for its handshake.
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) stream: UnixStream,
}

/// Executes this program as a child, with this process's arguments and the marker in its environment.
pub(crate) fn execute(options: &SpawnOptions, marker: String) -> Result<Child, SystemError> {
    let failed = || SystemError::new("start a process");
    let (ours, theirs) =
        socket::pair().map_err(SystemError::new("make a socket pair for a new process"))?;
    // In the child the kernel resolves this link to the file that runs here, even if it was replaced on disk.
    let program = CString::new("/proc/self/exe").map_err(io::Error::other);
    let arguments = env::args_os().map(|argument| c_string(&argument));
    let cwd = options.cwd.as_ref().map(|cwd| c_string(cwd.as_os_str()));
    let execution = Execution {
        paths: vec![program.map_err(failed())?],
        args: arguments.collect::<io::Result<_>>().map_err(failed())?,
        env: environment(options, marker).map_err(failed())?,
        cwd: cwd.transpose().map_err(failed())?,
        own_group: true,
        on_parent_death: ParentDeath::Ignore,
    };
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let outputs = [stdout.as_fd(), stderr.as_fd()];
    let null = if outputs.iter().all(|output| sys::is_inherited(*output)) {
        None
    } else {
        let null = sys::null_output();
        Some(null.map_err(SystemError::new("open /dev/null for a new process"))?)
    };
    let [stdout, stderr] = outputs.map(|output| match &null {
        Some(null) if !sys::is_inherited(output) => null.as_fd(),
        _ => output,
    });
    let streams = [theirs.as_fd(), stdout, stderr];
    let (pid, pidfd) = sys::start_program(&execution, streams).map_err(|(step, error)| {
        SystemError::new(match step {
            FailedStep::Cwd => "enter the working directory of a new process",
            FailedStep::Process | FailedStep::Exec => "start a process",
        })(error)
    })?;
    Ok(Child {
        pid,
        pidfd,
        stream: ours,
    })
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::other)
}

/// Returns the environment of this process with the changes of the options and the marker, as `NAME=value`.
fn environment(options: &SpawnOptions, marker: String) -> io::Result<Vec<CString>> {
    let mut variables: BTreeMap<OsString, OsString> = env::vars_os().collect();
    for (name, value) in &options.env {
        match value {
            Some(value) => variables.insert(name.clone(), value.clone()),
            None => variables.remove(name),
        };
    }
    variables.insert(marker::MARKER.into(), marker.into());
    let entry = |(name, value): (&OsString, &OsString)| {
        c_string(OsStr::from_bytes(
            &[name.as_bytes(), b"=", value.as_bytes()].concat(),
        ))
    };
    variables.iter().map(entry).collect()
}

/// Collects a child that has ended, and kills the rest of its process group. Returns `None` while the child runs.
pub(crate) fn collect(pid: u32, pidfd: &OwnedFd) -> Option<(ExitStatus, ResourceUsage)> {
    sys::kill_group_of_ended(pid, pidfd.as_fd());
    let end = match sys::reap(pidfd.as_fd()) {
        Ok(None) => return None,
        Ok(Some((end, usage))) => (ExitStatus::new(end), usage),
        // Other code of this process has collected it.
        Err(_) => (ExitStatus::UNKNOWN, ResourceUsage::default()),
    };
    info::child_ended(pid);
    Some(end)
}

/// Upper bound of the wait for a killed child's end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Kills a child that is not needed, and collects it.
pub(crate) fn discard(child: Child) {
    let _ = sys::signal(child.pidfd.as_fd(), SIGKILL);
    // A child that runs as another user takes no signals from this process. The close of its socket ends it.
    drop(child.stream);
    sys::await_readable(child.pidfd.as_fd(), EXIT_TIMEOUT);
    let _ = sys::reap(child.pidfd.as_fd());
    info::child_ended(child.pid);
}
