//! The way to a manager's process: connections, which the proxies of this process share.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, ManagerError, SystemError};
use crate::process::fork;
use crate::sys;

use super::protocol::{Kind, NewObject, Operation, Reply, Request, read_message, write_message};
use super::random;

/// How long a manager that lives may not answer a new connection.
const ACCEPTANCE: Duration = Duration::from_secs(10);

/// How many connections nobody uses are kept for the next calls.
const KEPT: usize = 64;

/// Where a manager's process is, and how to show that one may talk to it. The name is one that only Linux has: no file, and
/// gone with the process.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    name: [u8; 16],
    secret: [u8; 16],
}

/// Omits the secret: it is the only thing that keeps others from the manager's objects.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// A connection that nobody uses, and the process that made it: a forked child has it too.
struct Idle {
    server: Server,
    generation: u32,
    stream: UnixStream,
}

static IDLE: Mutex<Vec<Idle>> = Mutex::new(Vec::new());

impl Server {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            name: random()?,
            secret: random()?,
        })
    }

    pub(super) fn name(&self) -> String {
        let hex: String = self.name.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("procs-manager-{hex}")
    }

    pub(super) fn is_secret(&self, secret: [u8; 16]) -> bool {
        // Without a look at how far it is right.
        let difference = |(a, b): (&u8, &u8)| a ^ b;
        self.secret
            .iter()
            .zip(&secret)
            .map(difference)
            .fold(0, |all, one| all | one)
            == 0
    }

    /// Waits until the process answers.
    pub(super) fn greet(&self, time: Duration) -> io::Result<()> {
        let stream = self.connect(Instant::now() + time)?;
        self.keep(stream);
        Ok(())
    }

    /// Forgets the connections to it.
    pub(super) fn forget(&self) {
        idle().retain(|idle| idle.server != *self);
    }

    fn keep(&self, stream: UnixStream) {
        let mut idle = idle();
        if idle.len() >= KEPT {
            idle.remove(0);
        }
        idle.push(Idle {
            server: *self,
            generation: fork::generation(),
            stream,
        });
    }

    fn take(&self) -> Option<UnixStream> {
        let mut idle = idle();
        let usable = |idle: &Idle| idle.server == *self && idle.generation == fork::generation();
        let index = idle.iter().rposition(usable)?;
        Some(idle.swap_remove(index).stream)
    }

    /// Makes a connection. An error means that the process has ended, that it does not answer in time, or that the system
    /// refuses.
    fn connect(&self, deadline: Instant) -> io::Result<UnixStream> {
        loop {
            let retry = match sys::connect_to_abstract(self.name().as_bytes()) {
                // The queue of the process is full: it is busy or stands still.
                Err(error) if error.kind() == ErrorKind::WouldBlock => true,
                Err(error) => return Err(error),
                Ok(socket) => {
                    let stream = UnixStream::from(socket);
                    let mut timed = Timed::new(&stream, Some(deadline));
                    let greeted = timed
                        .write_all(&self.secret)
                        .and_then(|()| timed.read_exact(&mut [0]));
                    match greeted.and_then(|()| unlimited(&stream)) {
                        Ok(()) => return Ok(stream),
                        // It has ended, or has no room for one more at this moment.
                        Err(error) => !is_late(&error),
                    }
                }
            };
            if !retry || Instant::now() >= deadline {
                return Err(ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a request and waits for the reply, at most for `time`: the connection is a part of it.
    fn ask(&self, request: &Request, time: Option<Duration>) -> Result<Reply, ManagerError> {
        let now = Instant::now();
        let deadline = time.and_then(|time| now.checked_add(time));
        let stream = match self.take() {
            Some(stream) => stream,
            None => self
                .connect(deadline.unwrap_or(now + ACCEPTANCE))
                .map_err(refused)?,
        };
        let mut timed = Timed::new(&stream, deadline);
        let reply = write_message(&mut timed, request).and_then(|()| read_message(&mut timed));
        match reply {
            Ok(reply) => {
                if deadline.is_none() || unlimited(&stream).is_ok() {
                    self.keep(stream);
                }
                Ok(reply)
            }
            // The reply may still come: the connection is of no use any more.
            Err(error) if is_late(&error) => Err(ManagerError::TimedOut),
            Err(error) => {
                self.forget();
                Err(refused(error))
            }
        }
    }
}

/// A stream whose reads and writes together end at a deadline.
struct Timed<'a> {
    stream: &'a UnixStream,
    deadline: Option<Instant>,
}

impl<'a> Timed<'a> {
    fn new(stream: &'a UnixStream, deadline: Option<Instant>) -> Self {
        Self { stream, deadline }
    }

    /// Calls `limit` with the time that is left.
    fn limit(&self, limit: impl FnOnce(Option<Duration>) -> io::Result<()>) -> io::Result<()> {
        let Some(deadline) = self.deadline else {
            return Ok(());
        };
        match deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            // The system counts in microseconds, of which zero is no limit.
            left => limit(Some(left.max(Duration::from_micros(1)))),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.limit(|left| self.stream.set_read_timeout(left))?;
        self.stream.read(bytes)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limit(|left| self.stream.set_write_timeout(left))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes a call's limits from a stream, for the next call.
fn unlimited(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)
}

fn idle() -> std::sync::MutexGuard<'static, Vec<Idle>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn refused(error: io::Error) -> ManagerError {
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => ManagerError::ServerDied,
        ErrorKind::TimedOut => ManagerError::TimedOut,
        _ => ManagerError::System(SystemError::new("talk to a manager")(error)),
    }
}

/// One object of a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proxy {
    server: Server,
    object: u64,
    time: Option<Duration>,
}

impl Proxy {
    pub(super) fn make(server: Server, new: NewObject) -> Result<Self, ManagerError> {
        match server.ask(&Request::Make(new), Some(ACCEPTANCE))? {
            Reply::Made(object) => Ok(Self {
                server,
                object,
                time: None,
            }),
            reply => Err(unexpected(&reply)),
        }
    }

    pub(super) fn timed(self, time: Duration) -> Self {
        let time = Some(time);
        Self { time, ..self }
    }

    pub(super) fn ask(&self, kind: Kind, operation: Operation) -> Result<Reply, ManagerError> {
        let request = Request::Do(self.object, kind, operation);
        match self.server.ask(&request, self.time)? {
            Reply::OutOfRange => Err(ManagerError::OutOfRange),
            Reply::TypeMismatch => Err(ManagerError::TypeMismatch),
            reply => Ok(reply),
        }
    }
}

/// The error of a reply that does not belong to the request.
pub(super) fn unexpected(reply: &Reply) -> ManagerError {
    let text = format!("the manager's process sent an unexpected reply: {reply:?}");
    ManagerError::Decode(DecodeError::from_text(text))
}
