//! The client's side of a manager: connections to its process, which the proxies of this process share.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};

use crate::error::{DecodeError, ManagerError, SystemError};
use crate::process::fork;
use crate::sys;

use super::protocol::{
    Bytes, NewObject, ObjectKind, Operation, Reply, Request, note_token, read_message,
    write_message,
};
use super::random;

/// Time limit for a running manager to answer a new connection.
const ACCEPTANCE: Duration = Duration::from_secs(10);

/// Time limit of a proxy's drop for a manager that does not answer.
const RELEASE: Duration = Duration::from_millis(100);

/// Maximum number of idle connections that are kept for the next calls.
const KEPT: usize = 64;

/// The address of a manager's process, and the secret that authenticates a client. The name is in Linux's abstract
/// namespace: it is no file, and ends with the process.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Server {
    name: [u8; 16],
    secret: [u8; 16],
}

/// Omits the secret, which alone protects the manager's objects from other programs.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// An idle connection, and the process that made it. A forked child inherits it, and must not use it.
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
        // In constant time: the duration does not tell how many bytes are equal.
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

    /// Closes the connections to a manager that has ended.
    pub(super) fn close(&self) {
        clients().retain(|client| client.server != *self);
        self.forget();
    }

    /// Closes the idle connections.
    fn forget(&self) {
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

    /// Connects to the process. Fails if the process has ended, does not answer in time, or if a system call fails.
    fn connect(&self, deadline: Instant) -> io::Result<UnixStream> {
        loop {
            let retry = match sys::connect_to_abstract(self.name().as_bytes()) {
                // The process's backlog is full: it is busy or stopped.
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
                        // The process has ended, or serves as many connections as it can at this moment.
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

    /// Sends a request and waits for the reply. Connecting, sending and receiving together take at most `time`.
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
            // The reply may still arrive, so the connection is not used again.
            Err(error) if is_late(&error) => Err(ManagerError::TimedOut),
            Err(error) => {
                self.forget();
                Err(refused(error))
            }
        }
    }
}

/// A stream with one deadline for all reads and writes.
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

/// The registration of this process at a manager. The manager drops its references when the connection closes.
struct Client {
    server: Server,
    generation: u32,
    number: u64,
    life: UnixStream,
}

static CLIENTS: Mutex<Vec<Client>> = Mutex::new(Vec::new());

fn clients() -> std::sync::MutexGuard<'static, Vec<Client>> {
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    /// Returns the number of this process at the manager.
    fn client(&self) -> Result<u64, ManagerError> {
        let known = |clients: &Vec<Client>| {
            let ours = |client: &&Client| {
                client.server == *self && client.generation == fork::generation()
            };
            clients.iter().find(ours).map(|client| client.number)
        };
        if let Some(number) = known(&clients()) {
            return Ok(number);
        }
        // Outside the lock: a manager that does not answer delays only its own callers.
        let deadline = Instant::now() + ACCEPTANCE;
        let life = self.connect(deadline).map_err(refused)?;
        let mut timed = Timed::new(&life, Some(deadline));
        let reply = write_message(&mut timed, &Request::Begin)
            .and_then(|()| read_message(&mut timed))
            .map_err(refused)?;
        let Reply::Made(number) = reply else {
            return Err(unexpected(&reply));
        };
        let mut clients = clients();
        // If another thread has registered meanwhile, this connection closes.
        if let Some(number) = known(&clients) {
            return Ok(number);
        }
        // The manager sends nothing here: a read returns only at the end of the connection.
        clients.retain(|client| !sys::is_readable(client.life.as_fd()));
        clients.push(Client {
            server: *self,
            generation: fork::generation(),
            number,
            life,
        });
        Ok(number)
    }

    /// Sends a request that has no reply. If it fails, the reference ends with this process.
    fn release(&self, client: u64, object: u64) {
        let deadline = Instant::now() + RELEASE;
        let Some(stream) = self.take().or_else(|| self.connect(deadline).ok()) else {
            return;
        };
        let mut timed = Timed::new(&stream, Some(deadline));
        let written = write_message(&mut timed, &Request::Release(client, object));
        if written.and_then(|()| unlimited(&stream)).is_ok() {
            self.keep(stream);
        }
    }

    pub(super) fn count(&self) -> Result<usize, ManagerError> {
        match self.ask(&Request::Count, Some(ACCEPTANCE))? {
            Reply::Made(count) => Ok(count as usize),
            reply => Err(unexpected(&reply)),
        }
    }
}

/// A reference of this process to an object of a manager.
#[derive(Debug)]
struct Reference {
    server: Server,
    object: u64,
    /// The registration of this process. `None`: the manager has not counted the reference.
    client: Option<u64>,
    generation: u32,
}

impl Reference {
    fn new(server: Server, object: u64, client: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            server,
            object,
            client,
            generation: fork::generation(),
        })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // A forked child inherits the reference, but the manager has counted one.
        if let Some(client) = self.client
            && self.generation == fork::generation()
        {
            self.server.release(client, self.object);
        }
    }
}

/// One object of a manager, of kind `K`.
#[derive(Clone, Debug)]
pub(super) struct Proxy<K> {
    reference: Arc<Reference>,
    time: Option<Duration>,
    kind: PhantomData<fn() -> K>,
}

/// An encoded proxy. The token is its reference in transit. Zero: the manager has ended, or the object is freed.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Proxy")]
struct SentProxy {
    server: Server,
    object: u64,
    token: u64,
    time: Option<Duration>,
}

impl<K> Serialize for Proxy<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Reference { server, object, .. } = *self.reference;
        let token = match server.ask(&Request::Send(object), Some(self.limit())) {
            Ok(Reply::Made(token)) => token,
            Ok(_) | Err(ManagerError::ServerDied) => 0,
            Err(error) => {
                let reason = format!("the manager of a proxy in it cannot be asked: {error}");
                return Err(ser::Error::custom(reason));
            }
        };
        note_token(token);
        let sent = SentProxy {
            server,
            object,
            token,
            time: self.time,
        };
        sent.serialize(serializer)
    }
}

impl<'de, K> Deserialize<'de> for Proxy<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let SentProxy {
            server,
            object,
            token,
            time,
        } = SentProxy::deserialize(deserializer)?;
        // If it fails, the first call of the proxy returns the reason.
        let client = server.client().ok().filter(|client| {
            let request = Request::Receive {
                client: *client,
                object,
                token,
            };
            matches!(
                server.ask(&request, Some(time.unwrap_or(ACCEPTANCE))),
                Ok(Reply::Made(_))
            )
        });
        Ok(Self {
            reference: Reference::new(server, object, client),
            time,
            kind: PhantomData,
        })
    }
}

impl<K> Proxy<K> {
    pub(super) fn make(server: Server, new: NewObject) -> Result<Self, ManagerError> {
        let client = server.client()?;
        match server.ask(&Request::Make(client, new), Some(ACCEPTANCE))? {
            Reply::Made(object) => Ok(Self {
                reference: Reference::new(server, object, Some(client)),
                time: None,
                kind: PhantomData,
            }),
            reply => Err(unexpected(&reply)),
        }
    }

    pub(super) fn timed(self, time: Duration) -> Self {
        let time = Some(time);
        Self { time, ..self }
    }

    fn limit(&self) -> Duration {
        self.time.unwrap_or(ACCEPTANCE)
    }
}

impl<K: ObjectKind> Proxy<K> {
    fn ask(&self, operation: Operation) -> Result<Reply, ManagerError> {
        let request = Request::Do(self.reference.object, K::KIND, operation);
        match self.reference.server.ask(&request, self.time)? {
            Reply::OutOfRange => Err(ManagerError::OutOfRange),
            Reply::TypeMismatch => Err(ManagerError::TypeMismatch),
            Reply::Gone => Err(ManagerError::Gone),
            reply => Ok(reply),
        }
    }

    /// Performs an operation without a result.
    pub(super) fn run(&self, operation: Operation) -> Result<(), ManagerError> {
        self.ask(operation).map(drop)
    }

    pub(super) fn number(&self, operation: Operation) -> Result<i64, ManagerError> {
        match self.ask(operation)? {
            Reply::Number(number) => Ok(number),
            reply => Err(unexpected(&reply)),
        }
    }

    pub(super) fn bytes(&self, operation: Operation) -> Result<Option<Bytes>, ManagerError> {
        match self.ask(operation)? {
            Reply::Bytes(bytes) => Ok(bytes),
            reply => Err(unexpected(&reply)),
        }
    }

    pub(super) fn value<T: DeserializeOwned>(
        &self,
        operation: Operation,
    ) -> Result<Option<T>, ManagerError> {
        let bytes = self.bytes(operation)?;
        bytes.map(|bytes| bytes.decode()).transpose()
    }

    pub(super) fn list(&self) -> Result<Vec<Bytes>, ManagerError> {
        match self.ask(Operation::All)? {
            Reply::List(items) => Ok(items),
            reply => Err(unexpected(&reply)),
        }
    }

    pub(super) fn pairs(&self) -> Result<Vec<(Bytes, Bytes)>, ManagerError> {
        match self.ask(Operation::All)? {
            Reply::Pairs(pairs) => Ok(pairs),
            reply => Err(unexpected(&reply)),
        }
    }

    /// Returns whether the value was as expected, and so was replaced.
    pub(super) fn exchange(&self, operation: Operation) -> Result<bool, ManagerError> {
        match self.ask(operation)? {
            Reply::Done(done) => Ok(done),
            reply => Err(unexpected(&reply)),
        }
    }
}

/// Returns the error of a reply that does not belong to the request.
fn unexpected(reply: &Reply) -> ManagerError {
    let text = format!("the manager's process sent an unexpected reply: {reply:?}");
    ManagerError::Decode(DecodeError::from_text(text))
}
