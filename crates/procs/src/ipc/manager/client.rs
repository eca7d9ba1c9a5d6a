//! The way to a manager's process: connections, which the proxies of this process share.

use std::io::{self, ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, ManagerError, SystemError};
use crate::process::fork;

use super::language::{Action, Reply, Request, Seed, hear, say};
use super::random;

/// How long a manager that lives may not answer a new connection.
const ACCEPTANCE: Duration = Duration::from_secs(10);

/// How many connections nobody uses are kept for the next calls.
const KEPT: usize = 64;

/// Where a manager's process is, and how to show that one may talk to it. The name is one that only Linux has: no file, and
/// gone with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    name: [u8; 16],
    secret: [u8; 16],
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

    /// A new connection. An error says that the process has ended, or that the system refuses.
    fn connect(&self, deadline: Instant) -> io::Result<UnixStream> {
        let address = SocketAddr::from_abstract_name(self.name())?;
        loop {
            // Refused at once when nobody listens.
            let mut stream = UnixStream::connect_addr(&address)?;
            let left = deadline.saturating_duration_since(Instant::now());
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            let greeted = stream
                .write_all(&self.secret)
                .and_then(|()| stream.read_exact(&mut [0]));
            match greeted {
                Ok(()) => {
                    stream.set_read_timeout(None)?;
                    return Ok(stream);
                }
                Err(error) if is_late(&error) || Instant::now() >= deadline => {
                    return Err(ErrorKind::TimedOut.into());
                }
                // It has ended, or has no room for one more at this moment.
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn ask(&self, request: &Request, time: Option<Duration>) -> Result<Reply, ManagerError> {
        let stream = match self.take() {
            Some(stream) => stream,
            None => {
                let acceptance = time.unwrap_or(ACCEPTANCE);
                self.connect(Instant::now() + acceptance).map_err(refused)?
            }
        };
        let reply = timed(&stream, time)
            .and_then(|()| say(&stream, request))
            .and_then(|()| hear(&stream));
        match reply {
            Ok(reply) => {
                if time.is_none() || timed(&stream, None).is_ok() {
                    self.keep(stream);
                }
                Ok(reply)
            }
            // The answer may still come: the connection is of no use any more.
            Err(error) if is_late(&error) => Err(ManagerError::TimedOut),
            Err(error) => {
                self.forget();
                Err(refused(error))
            }
        }
    }
}

fn idle() -> std::sync::MutexGuard<'static, Vec<Idle>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Limits how long the stream waits.
fn timed(stream: &UnixStream, time: Option<Duration>) -> io::Result<()> {
    let time = time.map(|time| time.max(Duration::from_millis(1)));
    stream.set_read_timeout(time)?;
    stream.set_write_timeout(time)
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
    pub(super) fn make(server: Server, seed: Seed) -> Result<Self, ManagerError> {
        match server.ask(&Request::Make(seed), None)? {
            Reply::Made(object) => Ok(Self {
                server,
                object,
                time: None,
            }),
            reply => Err(senseless(&reply)),
        }
    }

    pub(super) fn timed(self, time: Duration) -> Self {
        let time = Some(time);
        Self { time, ..self }
    }

    pub(super) fn ask(&self, action: Action) -> Result<Reply, ManagerError> {
        match self
            .server
            .ask(&Request::Do(self.object, action), self.time)?
        {
            Reply::OutOfRange => Err(ManagerError::OutOfRange),
            reply => Ok(reply),
        }
    }
}

/// The error of an answer that does not belong to the question: the proxy is another kind of object's.
pub(super) fn senseless(reply: &Reply) -> ManagerError {
    let text = format!("the manager's object is of another kind: it answers {reply:?}");
    ManagerError::Decode(DecodeError::from_text(text))
}
