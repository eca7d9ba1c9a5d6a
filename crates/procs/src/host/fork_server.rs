//! The client of the fork server. The server is a second instance of this program with one thread and little memory, which
//! clones itself for each new process.
//!
//! A clone is a *sibling* of the server, that is, a child of the process that ordered it. That process alone can wait for
//! it, so its pid is not recycled before. The server keeps no record of its clones, and they outlive it. If the server has
//! ended, the next start brings up a new one.
//!
//! One clone, the *spare*, is always made in advance. A start sends it what this process has at that moment (environment,
//! working directory, outputs), and orders the next one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{StartError, SystemError, check_variable};
use crate::host::child::{self, Child, SpawnOptions};
use crate::host::socket;
use crate::process::descendants;
use crate::process::info;
use crate::process::status::ExitStatus;
use crate::sys::{self, Context, Guard, ParentDeath, SIGKILL};
use crate::wire::codec;
use crate::wire::marker;
use crate::wire::spare::{BIND_NOW, HandOver, Order, SERVER_NAME, SET_BY_PROCS, SPARE_NAME};
use crate::wire::{self, Tag};
use crate::wire::{START_DEADLINE, refusal_of};

/// The server of this process.
static SERVER: Mutex<Option<Server>> = Mutex::new(None);

/// Servers that make no more processes and still guard running programs.
static RETIRED: Mutex<Vec<Server>> = Mutex::new(Vec::new());

/// A running fork server.
struct Server {
    /// The process that started the server. A forked child has a copy of this memory, but no server.
    owner: u32,
    child: Child,
    /// What the server has inherited from this process. After a change here, its clones would inherit the old values.
    context: Context,
    env: Vec<(OsString, OsString)>,
    cwd: Option<PathBuf>,
    /// Whether a spare has been ordered and not yet taken.
    ordered: bool,
    /// Whether the server has been asked to guard programs.
    guards: bool,
}

/// Returns the environment without entries whose name begins with `=`: they are inherited and cannot be set.
fn settable_variables() -> Vec<(OsString, OsString)> {
    env::vars_os()
        .filter(|(name, _)| check_variable(name, None).is_ok())
        .collect()
}

/// Starts a child from the fork server. Starts the server first if none runs.
pub(crate) fn start(options: &SpawnOptions, name: &str) -> Result<Child, StartError> {
    let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let child = match start_from(&mut slot, options, name)? {
        Ok(child) => child,
        // The server has just died, or is stopped: a new one is started.
        Err(_) => start_from(&mut slot, options, name)??,
    };
    // Under the lock, so that `discard_unreported_spares` does not take the child for a spare.
    info::child_started(child.pid, name);
    Ok(child)
}

/// Returns what ends a program and its descendants when this process is killed.
///
/// In the program's first process that is the fork server, if it can be started. Otherwise it is a signal of the kernel.
/// Any other process is a subreaper whose descendants its parent kills.
pub(crate) fn on_parent_death() -> ParentDeath {
    if !matches!(marker::check_can_spawn(), Ok(1)) {
        return ParentDeath::Signal;
    }
    let mut slot = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.as_ref().is_none_or(|server| !server.is_running()) {
        *slot = None;
        *slot = Server::start().ok();
    }
    let socket = slot.as_mut().map(Server::guard);
    match socket {
        Some(Ok(socket)) => ParentDeath::Guard(Guard {
            socket: socket.into(),
            message: Order::Guard { pid: 0 }.to_bytes(),
        }),
        _ => ParentDeath::Signal,
    }
}

/// Stops using a server for starts. A server that guards programs runs until they have ended.
fn retire(server: Server) {
    let mut retired = retired();
    let ended: Vec<_> = retired
        .extract_if(.., |server| !server.is_running())
        .collect();
    if server.guards && server.is_running() && server.write(Order::Retire).is_ok() {
        retired.push(server);
    }
    drop(retired);
    // Outside the lock: the drop of a server takes it.
    drop(ended);
}

fn retired() -> MutexGuard<'static, Vec<Server>> {
    RETIRED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills and collects the spares of a server that ended after it had made them and before it reported them.
///
/// They are children of this process whose ids it does not know. They are found by their names. The caller holds the lock of
/// [`SERVER`], so that no start is under way.
fn discard_unreported_spares() {
    let is_known =
        |pid: u32| info::is_child(pid) || retired().iter().any(|server| server.child.pid == pid);
    for pid in descendants::children(process::id()) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if [SERVER_NAME, SPARE_NAME].contains(&name.trim_end()) && !is_known(pid) {
            sys::discard(pid);
        }
    }
}

/// Starts a child from a usable server. The inner error means that the server does not answer; it is retired then.
fn start_from(
    slot: &mut Option<Server>,
    options: &SpawnOptions,
    name: &str,
) -> Result<Result<Child, SystemError>, StartError> {
    if slot.as_ref().is_none_or(|server| !server.is_usable()) {
        // The old server's spare has inherited outdated values. Both are collected before the new server is started.
        if let Some(mut server) = slot.take() {
            server.discard_spare();
            retire(server);
        }
    }
    let server = match slot {
        Some(server) => server,
        None => slot.insert(Server::start()?),
    };
    match server.take(options, name) {
        Ok(Ok(child)) => Ok(Ok(child)),
        Ok(Err(error)) => Err(SystemError::new("fork a process")(error).into()),
        Err(error) => {
            slot.take().into_iter().for_each(retire);
            Ok(Err(SystemError::new("get a process from the fork server")(
                error,
            )))
        }
    }
}

/// Writes all bytes to a socket that does not block.
fn write_all(mut stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // A signal ends the wait early.
                sys::poll(&mut [sys::as_poll(stream.as_fd(), false, true)], Some(left))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Server {
    fn start() -> Result<Self, StartError> {
        let (env, cwd) = (settable_variables(), env::current_dir().ok());
        let context = Context::current();
        let mut options = SpawnOptions::default();
        if env::var_os(BIND_NOW).is_none() {
            options
                .env
                .push((BIND_NOW.into(), Some(SET_BY_PROCS.into())));
        }
        let child = child::execute(&options, marker::of_child(true))?;
        let mut server = Self {
            owner: process::id(),
            child,
            context,
            env,
            cwd,
            ordered: false,
            guards: false,
        };
        server.await_ready()?;
        let _ = server.order();
        Ok(server)
    }

    /// Waits for the server's first record, which is either `Ready` or a refusal.
    fn await_ready(&self) -> Result<(), StartError> {
        let refuse = |error| StartError::System(SystemError::new("talk to the fork server")(error));
        let mut stream = &self.child.stream;
        stream.set_nonblocking(false).map_err(refuse)?;
        let deadline = Instant::now() + START_DEADLINE;
        let mut bytes = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A timeout of zero would mean none.
            stream
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .map_err(refuse)?;
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                Ok(_) => return Err(StartError::of_early_end(self.reap())),
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
        self.is_running() && self.context == Context::current()
    }

    fn is_running(&self) -> bool {
        self.owner == process::id() && !sys::is_readable(self.child.pidfd.as_fd())
    }

    /// Waits for the end of a server that has closed its socket or was killed, and collects it. Kills it after a second.
    fn reap(&self) -> ExitStatus {
        let mut deadline = Instant::now() + Duration::from_secs(1);
        let mut killed = false;
        loop {
            match sys::reap(self.child.pidfd.as_fd()) {
                Ok(Some((end, _))) => return ExitStatus::new(end),
                Ok(None) if Instant::now() < deadline => {
                    let mut polled = [sys::as_poll(self.child.pidfd.as_fd(), true, false)];
                    let _ = sys::poll(&mut polled, Some(Duration::from_millis(100)));
                }
                // It is in an uninterruptible system call.
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

    /// Takes the spare, sends it the hand-over, and orders the next. The inner error is the server's answer.
    fn take(&mut self, options: &SpawnOptions, name: &str) -> io::Result<io::Result<Child>> {
        let spare = match self.spare()? {
            Ok(spare) => spare,
            Err(error) => return Ok(Err(error)),
        };
        match self.hand_over(&spare, options, name) {
            // A spare that has ended is returned: its records or its exit status give the reason.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                child::discard(spare);
                return Err(error);
            }
            _ => {}
        }
        // If this order fails, `ordered` stays false, and the next start orders again.
        let _ = self.order();
        Ok(Ok(spare))
    }

    /// Returns a running spare. An earlier order may have been refused, or its spare killed since: then orders once more.
    fn spare(&mut self) -> io::Result<io::Result<Child>> {
        if self.ordered {
            match self.receive()? {
                Ok(spare) if !sys::is_readable(spare.pidfd.as_fd()) => return Ok(Ok(spare)),
                Ok(spare) => child::discard(spare),
                Err(_) => {}
            }
        }
        self.order()?;
        self.receive()
    }

    /// Kills and collects a spare that was ordered and not taken: it is a child of this process.
    fn discard_spare(&mut self) {
        if self.owner == process::id()
            && self.ordered
            && let Ok(Ok(spare)) = self.receive()
        {
            child::discard(spare);
        }
    }

    fn order(&mut self) -> io::Result<()> {
        self.write(Order::Spare)?;
        self.ordered = true;
        Ok(())
    }

    fn write(&self, order: Order) -> io::Result<()> {
        (&self.child.stream).write_all(&order.to_bytes())
    }

    /// Returns the socket on which programs register.
    fn guard(&mut self) -> io::Result<UnixStream> {
        self.guards = true;
        self.child.stream.try_clone()
    }

    /// Receives an ordered spare, or the server's error.
    fn receive(&mut self) -> io::Result<io::Result<Child>> {
        let mut stream = &self.child.stream;
        stream.set_read_timeout(Some(START_DEADLINE))?;
        let mut answer = [0; 4];
        let received = sys::receive_with_descriptors(stream.as_fd(), &mut answer);
        let (count, descriptors) = match received {
            Ok(received) => received,
            // This process is at its limit of descriptors. The bytes have arrived without them.
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                self.ordered = false;
                if let Ok(pid @ 1..) = u32::try_from(i32::from_le_bytes(answer)) {
                    sys::discard(pid);
                }
                return Ok(Err(error));
            }
            Err(error) => return Err(as_timed_out(error)),
        };
        stream
            .read_exact(&mut answer[count..])
            .map_err(as_timed_out)?;
        self.ordered = false;
        let answer = i32::from_le_bytes(answer);
        let Ok(pid) = u32::try_from(answer) else {
            return Ok(Err(io::Error::from_raw_os_error(-answer)));
        };
        let [pidfd, socket] =
            <[OwnedFd; 2]>::try_from(descriptors).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Ok(Child {
            pid,
            pidfd,
            stream: socket.into(),
        }))
    }

    fn hand_over(&self, spare: &Child, options: &SpawnOptions, name: &str) -> io::Result<()> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let outputs = [stdout.as_fd(), stderr.as_fd()]
            .map(|output| sys::is_inherited(output).then_some(output));
        let hand_over = HandOver {
            name: name.to_owned(),
            env: self.env_changes(options),
            cwd: self.cwd_change(options),
            outputs: outputs.map(|output| output.is_some()),
        };
        let body = codec::to_vec(&hand_over).map_err(io::Error::other)?;
        let message = [&(body.len() as u32).to_le_bytes(), body.as_slice()].concat();
        let passed: Vec<_> = outputs.into_iter().flatten().collect();
        let (first, rest) = message.split_at(message.len().min(socket::ALWAYS_FITS));
        sys::send_with_descriptors(spare.stream.as_fd(), first, &passed)?;
        write_all(&spare.stream, rest)
    }

    /// Returns the changes from the server's environment to this process's with those of the options.
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
        // A relative path is relative to the working directory of this process.
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
        // A server that runs as another user takes no signals from this process. The close of its socket ends it.
        let _ = self.child.stream.shutdown(Shutdown::Both);
        let _ = sys::signal(self.child.pidfd.as_fd(), SIGKILL);
        self.reap();
        self.discard_spare();
        if self.ordered {
            discard_unreported_spares();
        }
    }
}

/// Converts the error of a read whose time limit has passed: the system reports EAGAIN, as it does for lack of a resource.
fn as_timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        error
    }
}
