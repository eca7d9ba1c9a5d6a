//! Listening sockets.

use std::{fmt, io, net::SocketAddr, os::fd::AsFd, time::Duration};

use nix::sys::socket::Backlog;
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};

use super::connect::{explain, resolve};
use crate::{executor::Engine, sleep::sleep};

/// Where a server's connections come from.
pub(crate) trait Acceptor: 'static {
    type Stream: 'static;
    type Address: 'static;

    fn local_addr(&self) -> io::Result<Self::Address>;
    /// The next connection. Safe to cancel.
    async fn accept(&self) -> io::Result<Self::Stream>;
}

impl Acceptor for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        TcpListener::accept(self).await.map(|(stream, _)| stream)
    }
}

/// How long accepting pauses when the system has no descriptor or memory for one more connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_secs(1);

/// What follows an accept that failed. One client that hung up while it was waiting is passed over: the next may be
/// fine. Otherwise the failure is reported, `make_room` called, and accepting pauses.
pub(crate) async fn recover(error: &io::Error, engine: &Engine, make_room: impl FnOnce()) {
    let of_one_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if of_one_connection {
        return;
    }
    engine
        .reporter
        .report("accepting pauses for a second", None, error);
    make_room();
    sleep(EXHAUSTED_PAUSE).await;
}

/// Connections that the kernel completes before they are accepted; it has a bound of its own, `somaxconn`. Beyond it a
/// client's first packet is dropped, and the client tries again after a second.
pub(super) const BACKLOG: u32 = 4096;

/// Lets as many connections wait at somebody else's socket as the system allows: at the standard library's, 128 could.
pub(crate) fn lengthen(listener: &impl AsFd) -> io::Result<()> {
    Ok(nix::sys::socket::listen(listener, Backlog::MAXALLOWABLE)?)
}

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
    listen_on_first(resolve(address).await?, &what)
}

/// Listens on the first candidate that can be listened on.
pub(super) fn listen_on_first(
    candidates: impl IntoIterator<Item = SocketAddr>,
    what: &str,
) -> io::Result<TcpListener> {
    let mut failure = None;
    for candidate in candidates {
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
