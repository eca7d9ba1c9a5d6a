//! A server: a listening socket whose connections are handed to tasks.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::{Rc, Weak},
    task::{Poll, Waker},
    time::Duration,
};

use tokio::net::ToSocketAddrs;

use super::{
    listen::{Acceptor, bind},
    reader::StreamReader,
    socket::{Socket, halves, share_tcp},
    writer::StreamWriter,
};
use crate::{
    combine::wait_for,
    current,
    executor::Engine,
    outcome::Outcome,
    sleep::{sleep, yield_now},
    task::{self, Task, TaskRef},
};

/// How long accepting pauses when the system has no descriptor or memory for one more connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_secs(1);

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
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
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
            closed: Cell::new(false),
            waiting: RefCell::new(Vec::new()),
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

impl<A> Drop for Server<A> {
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

impl<A: fmt::Debug> fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .field("serving", &self.is_serving())
            .finish()
    }
}
