//! One listening address for several loops.

use std::{
    cell::Cell,
    fmt,
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs},
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

use super::{
    listen::{Acceptor, lengthen, listen_on_first},
    reader::StreamReader,
    server::{Server, handle},
    socket::share_tcp,
    writer::StreamWriter,
};
use crate::{current, outcome::Outcome, sleep::sleep};

/// How long a loop leaves a new connection to those that have fewer.
const STEP_BACK: Duration = Duration::from_millis(1);

/// A listening socket that several loops accept from, each with a [`Server`] of its own.
///
/// All loops wait on the same queue of the kernel. A new connection goes to the loop with the fewest: the others step
/// back for a millisecond, and take it if that one is too busy to come. So connections that last are spread evenly, a
/// loop that is stuck in a long step strands nobody, and one that ends takes no waiting clients with it. (With a socket
/// for each loop, `SO_REUSEPORT`, the kernel assigns clients by a hash, blind to all three.) It costs a wake of each
/// idle loop for each new connection.
///
/// Clones mean the same socket. It listens until they and all its servers are gone.
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream, num::NonZeroUsize, time::Duration};
///
/// let listener = aio::SharedListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr();
/// let client = std::thread::spawn(move || {
///     let mut stream = TcpStream::connect(address).unwrap();
///     stream.write_all(b"hello\n").unwrap();
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer).unwrap();
///     answer
/// });
/// aio::run_loops(NonZeroUsize::new(2).unwrap(), async |core| {
///     let all = core.clone();
///     let server = listener.start_server(async move |mut reader, writer| {
///         let line = reader.readline().await?;
///         writer.write(&line);
///         all.stop_all();
///         Ok::<(), std::io::Error>(())
///     })?;
///     core.stopping().await;
///     server.close(Duration::from_secs(1)).await;
///     Ok::<(), std::io::Error>(())
/// })?;
/// assert_eq!(client.join().unwrap(), "hello\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedListener {
    inner: Arc<Inner>,
}

struct Inner {
    listener: StdListener,
    local: SocketAddr,
    /// How many connections each serving loop has.
    loads: Mutex<Vec<Arc<AtomicUsize>>>,
}

impl Inner {
    fn loads(&self) -> MutexGuard<'_, Vec<Arc<AtomicUsize>>> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedListener {
    /// Listens on `address`; port 0 picks a free port. Resolves names and binds at once, on this thread, which need not
    /// have a loop. Clients that connect from now on wait for the first server.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound: the text names it and says what to do.
    pub fn bind<A: ToSocketAddrs + fmt::Debug>(address: A) -> io::Result<Self> {
        let candidates = address.to_socket_addrs()?;
        // Only its reactor is used, to set the socket up as `start_server` does.
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let listener = listen_on_first(candidates, &format!("{address:?}"));
        let listener = listener.and_then(|listener| listener.into_std());
        drop(entered);
        // Not by its drop, which panics within a loop.
        runtime.shutdown_background();
        SharedListener::from_std(listener?)
    }

    /// Shares a socket that listens already. As many connections may wait there as the system allows.
    ///
    /// # Errors
    ///
    /// When it has no address, or the system refuses to set it up.
    pub fn from_std(listener: StdListener) -> io::Result<Self> {
        lengthen(&listener)?;
        listener.set_nonblocking(true)?;
        let inner = Inner {
            local: listener.local_addr()?,
            listener,
            loads: Mutex::new(Vec::new()),
        };
        Ok(SharedListener {
            inner: Arc::new(inner),
        })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local
    }

    /// Serves its share of the connections on the running loop, as [`start_server`](crate::start_server) does.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor left. Outside a loop, an error that wraps
    /// [`NoRunningLoop`](crate::NoRunningLoop).
    pub fn start_server<H, O>(&self, handler: H) -> io::Result<Server>
    where
        H: AsyncFn(StreamReader, StreamWriter) -> O + 'static,
        O: Outcome + 'static,
    {
        let share = self.share()?;
        let load = share.load.clone();
        let handler = Rc::new(handler);
        Server::start(share, move |stream| {
            let counted = Counted::new(&load);
            let handler = handler.clone();
            async move {
                let _counted = counted;
                // A client that hung up before it was served has no socket any more.
                if let Ok(socket) = share_tcp(stream) {
                    handle(&*handler, socket).await;
                }
            }
        })
    }

    pub(crate) fn share(&self) -> io::Result<Share> {
        current::engine()?;
        // A descriptor of its own: a loop may serve twice.
        let listener = TcpListener::from_std(self.inner.listener.try_clone()?)?;
        let load = Arc::new(AtomicUsize::new(0));
        self.inner.loads().push(load.clone());
        Ok(Share {
            inner: self.inner.clone(),
            load,
            listener,
            insists: Cell::new(false),
        })
    }
}

impl fmt::Debug for SharedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedListener")
            .field("local_addr", &self.local_addr())
            .field("servers", &self.inner.loads().len())
            .finish()
    }
}

/// One loop's part in a shared listener.
pub(crate) struct Share {
    inner: Arc<Inner>,
    load: Arc<AtomicUsize>,
    listener: TcpListener,
    /// It has stepped back in vain: until the queue is empty it takes what there is.
    insists: Cell<bool>,
}

impl Share {
    /// Counts a connection as one of this loop's.
    #[cfg(feature = "http")]
    pub(crate) fn count(&self) -> Counted {
        Counted::new(&self.load)
    }

    /// A connection that is there; otherwise waits until there may be one, without taking it, and gives `None`.
    async fn accept_or_wait(&self) -> Option<io::Result<TcpStream>> {
        let mut waited = false;
        poll_fn(|cx| {
            if waited {
                return Poll::Ready(None);
            }
            waited = true;
            self.listener
                .poll_accept(cx)
                .map(|accepted| Some(accepted.map(|(stream, _)| stream)))
        })
        .await
    }

    fn has_more_than_another(&self) -> bool {
        // Relaxed: a figure that is a moment old makes for a connection at the second-best place, no more.
        let own = self.load.load(Ordering::Relaxed);
        self.inner
            .loads()
            .iter()
            .any(|load| load.load(Ordering::Relaxed) < own)
    }
}

impl Acceptor for Share {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.inner.local)
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        loop {
            if !self.insists.get() && self.has_more_than_another() {
                sleep(STEP_BACK).await;
                self.insists.set(true);
            }
            if let Some(accepted) = self.accept_or_wait().await {
                return accepted;
            }
            self.insists.set(false);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.inner
            .loads()
            .retain(|load| !Arc::ptr_eq(load, &self.load));
    }
}

/// One open connection in a loop's load.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Counted(load.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
