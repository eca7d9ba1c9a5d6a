//! Starts a child: this program once more, with a socket as its standard input.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process;

use crate::error::{InvalidOption, SpawnError, StartError, SystemError, check_variable};
use crate::host::fork_server;
use crate::host::socket;
use crate::process::info;
use crate::process::limits::RawLimit;
use crate::process::status::{ExitStatus, ResourceUsage};
use crate::process::stdio::Streams;
use crate::sys::{self, Execution, FailedStep};
use crate::task::{self, Task};
use crate::wire::codec;
use crate::wire::marker;
use crate::wire::{Role, Setup, TaskName};

/// How a new process comes to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "set_start_method")]
#[doc(alias = "forkserver")]
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
    /// Checks what the system cannot represent.
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

/// Starts this program once more, with its arguments. The marker tells it what it is.
pub(crate) fn execute(options: &SpawnOptions, marker: String) -> Result<Child, SystemError> {
    let failed = || SystemError::new("start a process");
    let (ours, theirs) =
        socket::pair().map_err(SystemError::new("make a socket pair for a new process"))?;
    // The kernel follows this link in the child to the very file that runs here, even if it was replaced on disk.
    let program = CString::new("/proc/self/exe").map_err(io::Error::other);
    let arguments = env::args_os().map(|argument| c_string(&argument));
    let cwd = options.cwd.as_ref().map(|cwd| c_string(cwd.as_os_str()));
    let execution = Execution {
        paths: vec![program.map_err(failed())?],
        args: arguments.collect::<io::Result<_>>().map_err(failed())?,
        env: environment(options, marker).map_err(failed())?,
        cwd: cwd.transpose().map_err(failed())?,
        own_group: true,
        dies_with_thread: false,
    };
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let null;
    let outputs = if sys::is_open(stdout.as_fd()) && sys::is_open(stderr.as_fd()) {
        [stdout.as_fd(), stderr.as_fd()]
    } else {
        null = File::options().write(true).open("/dev/null");
        let null = null
            .as_ref()
            .map_err(|error| io::Error::from(error.kind()))
            .map_err(SystemError::new("open /dev/null for a new process"))?;
        [stdout.as_fd(), stderr.as_fd()].map(|output| {
            if sys::is_open(output) {
                output
            } else {
                null.as_fd()
            }
        })
    };
    let streams = [theirs.as_fd(), outputs[0], outputs[1]];
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

/// The environment of this process with the changes of the options and the marker, as `NAME=value`.
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

/// Collects a child that has ended, and kills what is left in its process group. `None` while it runs.
pub(crate) fn collect(pid: u32, pidfd: &OwnedFd) -> Option<(ExitStatus, ResourceUsage)> {
    sys::kill_group_of_ended(pid, pidfd.as_fd());
    let end = match sys::reap(pidfd.as_fd()) {
        Ok(None) => return None,
        Ok(Some((end, usage))) => (ExitStatus::new(end), usage),
        // It was collected elsewhere.
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
