//! The fork server: this program, started once, with one thread and little memory, duplicated for each new process.
//!
//! A duplicate is made as a *sibling* of the server, that is, as a child of the process that asked: that one waits for
//! it, can signal it without fear of a recycled pid, and is the parent with which it dies. The server itself knows
//! nothing of its duplicates, and its own death harms none of them; the next start brings up a new one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{StartError, SystemError, check_variable};
use crate::host::socket;
use crate::host::start::{self, Child, SpawnOptions};
use crate::process::status::ExitStatus;
use crate::sys::{self, Identity, SIGKILL};
use crate::wire::codec;
use crate::wire::fork_request::{EAGER, ForkRequest, OURS};
use crate::wire::marker;
use crate::wire::{self, Tag};
use crate::wire::{START_DEADLINE, refusal_of};

/// The server of this process.
static SERVER: Mutex<Option<Server>> = Mutex::new(None);

/// The asking side.
struct Server {
    /// The process whose server it is: a forked child of that one has the memory, but not the server.
    owner: u32,
    child: Child,
    /// Its user and groups. After a change of ours its processes would have the old ones.
    identity: Identity,
    env: Vec<(OsString, OsString)>,
    cwd: Option<PathBuf>,
}

/// The environment, but for entries whose name begins with `=`. They are inherited and cannot be set.
fn settable_variables() -> Vec<(OsString, OsString)> {
    env::vars_os()
        .filter(|(name, _)| check_variable(name, None).is_ok())
        .collect()
}

/// Starts a child from the fork server, which is brought up first if there is none, or none that lives.
pub(crate) fn start(options: &SpawnOptions, name: &str) -> Result<Child, StartError> {
    let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    match ask_living(&mut slot, options, name)? {
        Ok(child) => Ok(child),
        // It died just now, or stands still: a new one is asked. (Had it made a process before it died, that one sees
        // its socket closed and ends.)
        Err(_) => ask_living(&mut slot, options, name)?.map_err(StartError::from),
    }
}

/// Asks a server that lives, as far as can be seen. The inner error says that it does not answer; it is given up then.
fn ask_living(
    slot: &mut Option<Server>,
    options: &SpawnOptions,
    name: &str,
) -> Result<Result<Child, SystemError>, StartError> {
    if slot.as_ref().is_none_or(|server| !server.is_usable()) {
        // The old one is collected before the new one is made.
        *slot = None;
    }
    let server = match slot {
        Some(server) => server,
        None => slot.insert(Server::start()?),
    };
    let (ours, theirs) =
        socket::pair().map_err(SystemError::new("make a socket pair for a new process"))?;
    match server.ask(options, name, theirs.as_fd()) {
        Ok(Ok(pid)) => Ok(Ok(Child {
            pid,
            pidfd: watch(pid)?,
            stream: ours,
        })),
        Ok(Err(error)) => Err(SystemError::new("fork a process")(error).into()),
        Err(error) => {
            *slot = None;
            Ok(Err(SystemError::new("ask the fork server for a process")(
                error,
            )))
        }
    }
}

/// A descriptor for a new child, which nobody but this process can collect.
fn watch(pid: u32) -> Result<OwnedFd, SystemError> {
    // Without it the child is of no use; it ends as soon as it sees its socket closed, but somebody must collect it.
    sys::pidfd_open(pid)
        .map_err(SystemError::new("get a descriptor for a new process"))
        .inspect_err(|_| sys::discard(pid))
}

impl Server {
    fn start() -> Result<Self, StartError> {
        let marker = format!("{} {}", process::id(), marker::FORK_SERVER);
        let (env, cwd) = (settable_variables(), env::current_dir().ok());
        let mut options = SpawnOptions::default();
        if env::var_os(EAGER).is_none() {
            options.env.push((EAGER.into(), Some(OURS.into())));
        }
        let child = start::execute(&options, marker)?;
        let server = Self {
            owner: process::id(),
            child,
            identity: Identity::current(),
            env,
            cwd,
        };
        server.await_ready()?;
        Ok(server)
    }

    /// The server's first record says whether it will serve.
    fn await_ready(&self) -> Result<(), StartError> {
        let refuse = |error| StartError::System(SystemError::new("talk to the fork server")(error));
        let mut stream = &self.child.stream;
        stream.set_nonblocking(false).map_err(refuse)?;
        let deadline = Instant::now() + START_DEADLINE;
        let mut bytes = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A time of zero would mean "for ever".
            stream
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(refuse)?;
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                Ok(_) => return Err(StartError::of_early_end(self.end())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(StartError::TimedOut(START_DEADLINE)),
            }
            match wire::record(&bytes) {
                Ok(None) => {}
                Ok(Some(record)) if record.tag == Tag::Ready => return Ok(()),
                Ok(Some(record)) if record.tag == Tag::Refused => {
                    return Err(refusal_of(record.payload));
                }
                Ok(Some(_)) | Err(wire::Corrupt) => return Err(StartError::Garbled),
            }
        }
    }

    fn is_usable(&self) -> bool {
        let mut polled = [sys::as_poll(self.child.pidfd.as_fd(), true, false)];
        self.owner == process::id()
            && self.identity == Identity::current()
            && matches!(sys::poll(&mut polled, Some(Duration::ZERO)), Ok(0))
    }

    /// Waits for its end, which is near, and collects it.
    fn end(&self) -> ExitStatus {
        let mut deadline = Instant::now() + Duration::from_secs(1);
        let mut killed = false;
        loop {
            match sys::reap(self.child.pidfd.as_fd()) {
                Ok(Some((end, _))) => return ExitStatus::new(end),
                Ok(None) if Instant::now() < deadline => {
                    let mut polled = [sys::as_poll(self.child.pidfd.as_fd(), true, false)];
                    let _ = sys::poll(&mut polled, Some(Duration::from_millis(100)));
                }
                // It is in a system call that cannot be interrupted.
                Ok(None) if killed => return ExitStatus::UNKNOWN,
                Ok(None) => {
                    killed = true;
                    let _ = sys::signal(self.child.pidfd.as_fd(), SIGKILL);
                    deadline = Instant::now() + Duration::from_secs(1);
                }
                Err(_) => return ExitStatus::UNKNOWN,
            }
        }
    }

    /// Asks for a duplicate that serves a socket. The inner result is the server's answer.
    fn ask(
        &self,
        options: &SpawnOptions,
        name: &str,
        socket: BorrowedFd<'_>,
    ) -> io::Result<io::Result<u32>> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let outputs =
            [stdout.as_fd(), stderr.as_fd()].map(|output| sys::is_open(output).then_some(output));
        let request = ForkRequest {
            name: name.to_owned(),
            env: self.env_changes(options),
            cwd: self.cwd_change(options),
            outputs: outputs.map(|output| output.is_some()),
        };
        let body = codec::to_vec(&request).map_err(io::Error::other)?;
        let passed: Vec<_> = [Some(socket)]
            .into_iter()
            .chain(outputs)
            .flatten()
            .collect();
        let mut stream = &self.child.stream;
        sys::send_with_descriptors(stream.as_fd(), &(body.len() as u32).to_le_bytes(), &passed)?;
        stream.write_all(&body)?;
        let mut answer = [0; 4];
        stream.set_read_timeout(Some(START_DEADLINE))?;
        stream.read_exact(&mut answer).map_err(timed_out)?;
        Ok(match u32::try_from(i32::from_le_bytes(answer)) {
            Ok(pid) => Ok(pid),
            Err(_) => Err(io::Error::from_raw_os_error(-i32::from_le_bytes(answer))),
        })
    }

    /// How the environment here, with the child's changes, differs from the server's.
    fn env_changes(&self, options: &SpawnOptions) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let bytes = |text: &OsStr| text.as_bytes().to_vec();
        let now = settable_variables();
        let mut changes = Vec::new();
        if now != self.env {
            let gone = self
                .env
                .iter()
                .filter(|(key, _)| !now.iter().any(|(other, _)| other == key));
            changes.extend(gone.map(|(key, _)| (bytes(key), None)));
            changes.extend(
                now.iter()
                    .map(|(key, value)| (bytes(key), Some(bytes(value)))),
            );
        }
        changes.extend(
            options
                .env
                .iter()
                .map(|(key, value)| (bytes(key), value.as_deref().map(bytes))),
        );
        changes
    }

    fn cwd_change(&self, options: &SpawnOptions) -> Option<Vec<u8>> {
        let here = env::current_dir().ok();
        let here = here.filter(|here| self.cwd.as_ref() != Some(here));
        // A relative directory is relative to where this process is.
        let wanted = match (&options.cwd, here) {
            (Some(cwd), _) => std::path::absolute(cwd).ok().or_else(|| Some(cwd.clone())),
            (None, here) => here,
        };
        wanted.map(|path| path.into_os_string().into_vec())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.owner != process::id() {
            return;
        }
        // The end of its socket ends a server that acts for another user now and takes no signals from this one.
        let _ = self.child.stream.shutdown(Shutdown::Both);
        let _ = sys::signal(self.child.pidfd.as_fd(), SIGKILL);
        self.end();
    }
}

/// The error of a read whose time limit has passed: the system calls it EAGAIN, as the lack of a resource.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}
