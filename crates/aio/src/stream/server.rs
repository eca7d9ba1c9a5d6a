//! A server: a listening socket whose connections are handed to tasks.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::{Rc, Weak},
    time::Duration,
};

use tokio::net::ToSocketAddrs;

use super::{
    listen::{Acceptor, bind, recover},
    reader::StreamReader,
    socket::{Socket, halves, share_tcp},
    writer::StreamWriter,
};
use crate::{
    combine::wait_for,
    current,
    executor::Engine,
    outcome::Outcome,
    sleep::yield_now,
    sync::{Event, Waiters},
    task::{self, Task, TaskRef},
};

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
    let handler = Rc::new(handler);
    Server::start(bind(address).await?, move |stream| {
        let handler = handler.clone();
        async move {
            // A client that hung up before it was served has no socket any more.
            if let Ok(socket) = share_tcp(stream) {
                handle(&*handler, socket).await;
            }
        }
    })
}

/// Serves one connection to its end, and reports its handler's failure.
pub(crate) async fn handle<H, O>(handler: &H, socket: Rc<dyn Socket>)
where
    H: AsyncFn(StreamReader, StreamWriter) -> O,
    O: Outcome,
{
    let (reader, writer) = halves(socket);
    if let Some(failure) = handler(reader, writer).await.failure()
        && let Ok(engine) = current::engine()
    {
        engine
            .reporter
            .report("a connection's handler failed", None, &failure);
    }
}

/// A listening socket and its connections; made by [`start_server`] and its kin. `A` is what it listens on: an internet
/// address, or the path of a Unix socket.
///
/// Dropping it stops the listening; connections that are open are served to their end.
#[must_use = "dropping a server stops it listening"]
pub struct Server<A = SocketAddr> {
    address: A,
    shared: Rc<Shared>,
    accepting: Option<Task<()>>,
}

struct Shared {
    engine: Rc<Engine>,
    connections: RefCell<BTreeMap<u64, TaskRef>>,
    next: Cell<u64>,
    closed: Event,
    /// Those who wait for connections to end.
    waiting: Waiters,
}

impl<A: 'static> Server<A> {
    pub(crate) fn start<L, S, F>(listener: L, serve: S) -> io::Result<Self>
    where
        L: Acceptor<Address = A>,
        S: Fn(L::Stream) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        let engine = current::engine()?;
        let address = listener.local_addr()?;
        let shared = Rc::new(Shared {
            connections: RefCell::new(BTreeMap::new()),
            next: Cell::new(0),
            closed: Event::new(),
            waiting: Waiters::default(),
            engine: engine.clone(),
        });
        let accepting = task::spawn(&engine, accept(listener, shared.clone(), serve));
        accepting.set_name("server");
        Ok(Server {
            address,
            shared,
            accepting: Some(accepting),
        })
    }
}

impl Server {
    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Server<PathBuf> {
    /// The path it listens on.
    pub fn path(&self) -> &Path {
        &self.address
    }
}

impl<A> Server<A> {
    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.connections.borrow().len()
    }

    /// Whether it still listens.
    pub fn is_serving(&self) -> bool {
        !self.shared.closed.is_set()
    }

    /// Waits until the server is closed by [`close`](Server::close), [`stop_listening`](Server::stop_listening) or
    /// [`abort_clients`](Server::abort_clients) from another task: it listens in any case, awaited or not.
    pub async fn serve_forever(&self) {
        self.shared.closed.wait().await;
    }

    /// Listens no more; connections that are open go on.
    pub fn stop_listening(&self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.shared.closed.set();
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
        if wait_for(self.shared.drained(), deadline).await.is_err() {
            self.abort_clients();
            self.shared.drained().await;
        }
    }
}

impl<A> Drop for Server<A> {
    fn drop(&mut self) {
        self.stop_listening();
        if let Some(accepting) = self.accepting.take() {
            accepting.detach();
        }
    }
}

impl Shared {
    /// Waits until no connection is open.
    async fn drained(&self) {
        let none = || self.connections.borrow().is_empty();
        self.waiting.until(none).await;
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
        self.0.closed.set();
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
            shared.waiting.call_all();
        }
    }
}

async fn accept<L, S, F>(listener: L, shared: Rc<Shared>, serve: S)
where
    L: Acceptor,
    S: Fn(L::Stream) -> F,
    F: Future<Output = ()> + 'static,
{
    let listening = Listening(shared);
    loop {
        match listener.accept().await {
            Ok(stream) => listening.0.serve(serve(stream)),
            Err(error) => recover(&error, &listening.0.engine, || ()).await,
        }
    }
}

impl<A: fmt::Debug> fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .field("serving", &self.is_serving())
            .finish()
    }
}
