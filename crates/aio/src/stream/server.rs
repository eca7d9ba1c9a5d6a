//! A server: a listening socket whose connections are handed to tasks.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};

use super::{
    connect::{explain, resolve},
    reader::StreamReader,
    socket::halves,
    writer::StreamWriter,
};
use crate::{
    combine::wait_for,
    current,
    executor::Engine,
    sleep::{sleep, yield_now},
    task::{self, Task, TaskRef},
};

/// How long accepting pauses when the system has no descriptor or memory for one more connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_secs(1);

/// What a handler may return: nothing, or a result whose error is told to the loop's exception handler.
pub trait Outcome {
    /// The failure to report, if there is one.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Listens on `address` and calls `handler` for each connection, in a task of its own. Port 0 picks a free port, which
/// [`Server::local_addr`] tells.
///
/// A handler's panic or error harms no other connection; the loop's exception handler hears of it. When the system
/// runs out of descriptors, accepting pauses for a second and goes on.
///
/// # Errors
///
/// When the address cannot be bound: the text names it and says what to do. Outside a loop, an error that wraps
/// [`NoRunningLoop`](crate::NoRunningLoop).
///
/// An example is at [`StreamReader`].
pub async fn start_server<A, H, O>(address: A, handler: H) -> io::Result<Server>
where
    A: ToSocketAddrs + fmt::Debug,
    H: AsyncFn(StreamReader, StreamWriter) -> O + 'static,
    O: Outcome + 'static,
{
    let listener = bind(address).await?;
    let handler = Rc::new(handler);
    Server::start(listener, usize::MAX, move |stream| {
        let handler = handler.clone();
        async move {
            let outcome = match halves(stream) {
                Ok((reader, writer)) => handler(reader, writer).await.failure(),
                // The client hung up before it was served.
                Err(_) => None,
            };
            if let (Some(failure), Ok(engine)) = (outcome, current::engine()) {
                engine
                    .reporter
                    .report("a connection's handler failed", None, &failure);
            }
        }
    })
}

/// Connections that the kernel completes before they are accepted; it has a bound of its own, `somaxconn`. Beyond it a
/// client's first packet is dropped, and the client tries again after a second.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As every server on Unix: a port whose last connections have not quite ended can be listened on again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds the first of the address's meanings that can be bound.
pub(crate) async fn bind<A>(address: A) -> io::Result<TcpListener>
where
    A: ToSocketAddrs + fmt::Debug,
{
    let what = format!("{address:?}");
    let mut failure = None;
    for candidate in resolve(address).await? {
        match listen(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let advice = match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        "stop the program that uses it, or take port 0 for a free one"
                    }
                    io::ErrorKind::PermissionDenied => {
                        "take a port above 1023, or run with the right to use it"
                    }
                    _ => "is this an address of this machine?",
                };
                failure = Some(explain("listen on", candidate, error, advice));
            }
        }
    }
    Err(failure.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("{what} has no address"))
    }))
}

/// A listening socket and its connections; made by [`start_server`].
///
/// Dropping it stops the listening; connections that are open are served to their end.
#[must_use = "dropping a server stops it listening"]
pub struct Server {
    shared: Rc<Shared>,
    accepting: Option<Task<()>>,
}

struct Shared {
    engine: Rc<Engine>,
    local: SocketAddr,
    connections: RefCell<BTreeMap<u64, TaskRef>>,
    next: Cell<u64>,
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Server {
    /// Serves at most `most` connections at a time; further ones wait to be accepted.
    pub(crate) fn start<S, F>(listener: TcpListener, most: usize, serve: S) -> io::Result<Self>
    where
        S: Fn(TcpStream) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        let engine = current::engine()?;
        let shared = Rc::new(Shared {
            local: listener.local_addr()?,
            connections: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
            closed: Cell::new(false),
            waiting: RefCell::new(Vec::new()),
            engine: engine.clone(),
        });
        let accepting = task::spawn(&engine, accept(listener, most, shared.clone(), serve));
        accepting.set_name("server");
        Ok(Server {
            shared,
            accepting: Some(accepting),
        })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.connections.borrow().len()
    }

    /// Whether it still listens.
    pub fn is_serving(&self) -> bool {
        !self.shared.closed.get()
    }

    /// Waits until the server is closed by [`close`](Server::close), [`stop_listening`](Server::stop_listening) or
    /// [`abort_clients`](Server::abort_clients) from another task: it listens in any case, awaited or not.
    pub async fn serve_forever(&self) {
        self.shared.wait(|shared| shared.closed.get()).await;
    }

    /// Listens no more; connections that are open go on.
    pub fn stop_listening(&self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.shared.closed.set(true);
        self.shared.notify();
    }

    /// Lets every connection look at what has changed.
    #[cfg(feature = "http")]
    pub(crate) fn wake_clients(&self) {
        self.stop_listening();
        let connections: Vec<TaskRef> =
            self.shared.connections.borrow().values().cloned().collect();
        connections.iter().for_each(TaskRef::wake);
    }

    /// Waits until no connection is open.
    #[cfg(feature = "http")]
    pub(crate) async fn drained(&self) {
        self.shared
            .wait(|shared| shared.connections.borrow().is_empty())
            .await;
    }

    /// Cancels the handlers of all open connections, which closes those.
    pub fn abort_clients(&self) {
        let connections: Vec<TaskRef> =
            self.shared.connections.borrow().values().cloned().collect();
        for connection in connections {
            connection.cancel();
        }
    }

    /// Listens no more, gives the handlers of open connections until `deadline` has passed to finish, and cancels those
    /// that have not. Always ends; nothing is left of the server then.
    pub async fn close(&self, deadline: Duration) {
        self.stop_listening();
        // The socket is closed when the accepting task is gone, in the loop's next iteration.
        while self
            .accepting
            .as_ref()
            .is_some_and(|accepting| !accepting.is_done())
        {
            yield_now().await;
        }
        let all_done = self
            .shared
            .wait(|shared| shared.connections.borrow().is_empty());
        if wait_for(all_done, deadline).await.is_err() {
            self.abort_clients();
            self.shared
                .wait(|shared| shared.connections.borrow().is_empty())
                .await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_listening();
        if let Some(accepting) = self.accepting.take() {
            accepting.detach();
        }
    }
}

impl Shared {
    fn notify(&self) {
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    async fn wait(&self, reached: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if reached(self) {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn serve(self: &Rc<Self>, serving: impl Future<Output = ()> + 'static) {
        let number = self.next.get();
        self.next.set(number + 1);
        let open = Open {
            shared: Rc::downgrade(self),
            number,
        };
        let connection = task::spawn(&self.engine, async move {
            let _open = open;
            serving.await;
        });
        if let Some(reference) = connection.reference() {
            self.connections.borrow_mut().insert(number, reference);
        }
        connection.detach();
    }
}

/// Tells those who wait, however the accepting ends.
struct Listening(Rc<Shared>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.closed.set(true);
        self.0.notify();
    }
}

/// Takes the connection off the list, however its handler ends.
struct Open {
    shared: Weak<Shared>,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.connections.borrow_mut().remove(&self.number);
            shared.notify();
        }
    }
}

async fn accept<S, F>(listener: TcpListener, most: usize, shared: Rc<Shared>, serve: S)
where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + 'static,
{
    let listening = Listening(shared);
    loop {
        listening
            .0
            .wait(|shared| shared.connections.borrow().len() < most)
            .await;
        match listener.accept().await {
            Ok((stream, _)) => listening.0.serve(serve(stream)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                listening
                    .0
                    .engine
                    .reporter
                    .report("accepting pauses for a second", None, &error);
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Errors of a client that hung up while it was waiting to be accepted: the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr())
            .field("connections", &self.connections())
            .field("serving", &self.is_serving())
            .finish()
    }
}
