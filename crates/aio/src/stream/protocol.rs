//! Callbacks of a connection, as asyncio's protocols have them.

use std::{fmt, io, path::Path, path::PathBuf, rc::Rc};

use tokio::net::ToSocketAddrs;

use super::{
    connect::connect,
    connection::Connection,
    listen::bind,
    server::Server,
    socket::{Socket, share, share_tcp},
    transport::Transport,
    unix::{bind_unix, connect_unix},
};
use crate::{current, task};

/// What becomes of a connection, told by callbacks: the way to a connection with the least work for each message.
///
/// The calls come in this order: [`connection_made`](Protocol::connection_made), any number of the others,
/// [`connection_lost`](Protocol::connection_lost). The last always comes, once. They are made by the loop, one at a time,
/// and should be short. What the protocol shares with others it keeps in an `Rc`. A panic in one is reported, and ends
/// the connection.
///
/// In Python the transport is given once, to be kept; here each call has it.
///
/// ```
/// use aio::{Protocol, Transport};
///
/// struct Shout;
///
/// impl Protocol for Shout {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(&data.to_ascii_uppercase());
///     }
/// }
///
/// aio::run(async {
///     let server = aio::create_server("127.0.0.1:0", || Shout).await?;
///     let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
///     writer.write(b"hello");
///     assert_eq!(reader.read_exactly(5).await?, b"HELLO");
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Protocol: 'static {
    /// The connection is open.
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Bytes have come: as many as there were, at most 64 KiB. The peer's messages may be cut and joined in any way.
    fn data_received(&mut self, transport: &Transport, data: &[u8]);

    /// The peer sends nothing more. With `true` the connection stays open for writing, until
    /// [`Transport::close`]; with `false`, which is what happens unless this is written otherwise, it is closed once
    /// everything is sent.
    fn eof_received(&mut self, transport: &Transport) -> bool {
        let _ = transport;
        false
    }

    /// More is unsent than the [limit](Transport::set_write_buffer_limits): write no more for now. Called when the
    /// callback that wrote has returned, or in the loop's next iteration.
    fn pause_writing(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Enough has been sent to go on.
    fn resume_writing(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// The connection is closed: with the error that ended it, or `None` when it ended as one side wished.
    fn connection_lost(&mut self, transport: &Transport, error: Option<&io::Error>) {
        let _ = (transport, error);
    }
}

/// Connects to `address` and gives the connection to the protocol that `factory` makes. The connection belongs to the
/// loop: dropping the transport changes nothing.
///
/// # Errors
///
/// As [`open_connection`](crate::open_connection).
///
/// ```
/// use aio::{Protocol, Setter, Transport};
///
/// struct Ask(Option<Setter<Vec<u8>>>);
///
/// impl Protocol for Ask {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"anybody there?");
///     }
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         if let Some(answer) = self.0.take() {
///             answer.set(data.to_vec());
///         }
///         transport.close();
///     }
/// }
///
/// aio::run(async {
///     let server = aio::echo::serve("127.0.0.1:0").await?;
///     let (setter, answer) = aio::create_future();
///     aio::create_connection(server.local_addr(), || Ask(Some(setter))).await?;
///     let answer = answer.await.expect("it answers");
///     assert!(answer.ends_with(b"Your msg anybody there?"));
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn create_connection<A, F, P>(address: A, factory: F) -> io::Result<Transport>
where
    A: ToSocketAddrs + fmt::Debug,
    F: FnOnce() -> P,
    P: Protocol,
{
    attach(share_tcp(connect(address).await?)?, factory())
}

/// Listens on `address` and gives each connection to a protocol that `factory` makes. For the rest it is as
/// [`start_server`](crate::start_server).
///
/// # Errors
///
/// As `start_server`.
///
/// An example is at [`Protocol`].
pub async fn create_server<A, F, P>(address: A, factory: F) -> io::Result<Server>
where
    A: ToSocketAddrs + fmt::Debug,
    F: Fn() -> P + 'static,
    P: Protocol,
{
    let factory = Rc::new(factory);
    Server::start(bind(address).await?, move |stream| {
        let factory = factory.clone();
        async move {
            // A client that hung up before it was served has no socket any more.
            if let Ok(socket) = share_tcp(stream) {
                serve(socket, factory()).await;
            }
        }
    })
}

/// As [`create_connection`], to the Unix socket at `path`.
///
/// # Errors
///
/// As [`open_unix_connection`](crate::open_unix_connection).
pub async fn create_unix_connection<F, P>(
    path: impl AsRef<Path>,
    factory: F,
) -> io::Result<Transport>
where
    F: FnOnce() -> P,
    P: Protocol,
{
    attach(connect_unix(path.as_ref()).await?, factory())
}

/// As [`create_server`], on a Unix socket at `path`.
///
/// # Errors
///
/// As [`start_unix_server`](crate::start_unix_server).
pub async fn create_unix_server<F, P>(
    path: impl AsRef<Path>,
    factory: F,
) -> io::Result<Server<PathBuf>>
where
    F: Fn() -> P + 'static,
    P: Protocol,
{
    let factory = Rc::new(factory);
    let listener = bind_unix(path.as_ref()).await?;
    Server::start(listener, move |stream| {
        let factory = factory.clone();
        async move { serve(share(stream, None, None), factory()).await }
    })
}

/// Gives a connection to a protocol, in a task of its own.
pub(crate) fn attach<P: Protocol>(socket: Rc<dyn Socket>, protocol: P) -> io::Result<Transport> {
    let engine = current::engine()?;
    let transport = Transport::new(socket);
    let connection = Connection::begin(transport.clone(), protocol, engine.clone());
    let driving = task::spawn(&engine, connection);
    driving.set_name("protocol");
    driving.detach();
    Ok(transport)
}

/// Gives a connection to a protocol, in this task.
pub(crate) async fn serve<P: Protocol>(socket: Rc<dyn Socket>, protocol: P) {
    if let Ok(engine) = current::engine() {
        Connection::begin(Transport::new(socket), protocol, engine).await;
    }
}
