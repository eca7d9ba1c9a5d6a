//! Where a server accepts connections.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, ToSocketAddrs, UnixListener, UnixStream};

use super::socket::Socket;
use crate::{
    current,
    stream::{Acceptor, Counted, Share, SharedListener, bind, lengthen},
};

/// A socket that accepts connections, to be given to [`Server::start`](super::Server::start).
pub struct Listener {
    inner: Inner,
    /// Held for what it does when it is dropped.
    _unlink: Option<Unlink>,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::ServerConfig>,
}

enum Inner {
    Tcp(TcpListener),
    Unix(UnixListener),
    Shared(Share),
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) peer: Option<SocketAddr>,
    /// Held while it is open, where loops share the listener.
    pub(crate) counted: Option<Counted>,
}

/// Removes a socket's file that we have made.
struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        // Already gone, or not ours to remove any more.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens on a TCP address, such as `"127.0.0.1:8000"`. Port 0 picks a free port.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound: the text names it and says what to do. Outside a loop: the error wraps
    /// [`NoRunningLoop`](crate::NoRunningLoop).
    pub async fn tcp<A>(address: A) -> io::Result<Self>
    where
        A: ToSocketAddrs + fmt::Debug,
    {
        let inner = Inner::Tcp(bind(address).await?);
        Ok(Listener::of(inner))
    }

    /// Listens on a Unix socket at `path`. A socket there that nobody listens on is taken over; the file is removed when
    /// the server closes. Who may connect is up to the folder's rights.
    ///
    /// # Errors
    ///
    /// When something else is at `path`, or another server listens there. Outside a loop, as [`tcp`](Listener::tcp).
    pub async fn unix(path: impl AsRef<Path>) -> io::Result<Self> {
        current::engine()?;
        let path = path.as_ref();
        let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if is_socket && UnixStream::connect(path).await.is_err() {
            fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path).map_err(|error| {
            let text = format!(
                "cannot listen on {}: {error}; remove what is there, or take another path",
                path.display()
            );
            io::Error::new(error.kind(), text)
        })?;
        Ok(Listener {
            inner: Inner::Unix(listener),
            _unlink: Some(Unlink(path.to_owned())),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Accepts from a TCP socket that listens already: one that was bound before privileges were dropped, say, or that
    /// several loops share. As many connections may wait there as the system allows.
    ///
    /// # Errors
    ///
    /// When the system cannot watch it. Outside a loop, as [`tcp`](Listener::tcp).
    pub fn from_tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        current::engine()?;
        lengthen(&listener)?;
        listener.set_nonblocking(true)?;
        let inner = Inner::Tcp(TcpListener::from_std(listener)?);
        Ok(Listener::of(inner))
    }

    /// Accepts this loop's share of the connections to an address that several loops serve: a new one goes to the loop
    /// that has the fewest.
    ///
    /// # Errors
    ///
    /// As [`from_tcp`](Listener::from_tcp).
    ///
    /// ```
    /// use aio::{SharedListener, http::{App, Listener, Request, Server}};
    ///
    /// let shared = SharedListener::bind("127.0.0.1:0")?;
    /// aio::run_per_core(async |core| {
    ///     let app = App::new().get("/", async move |_: Request| format!("loop {}", core.index()));
    ///     let server = Server::start(app, [Listener::shared(&shared)?]).await?;
    ///     server.close(std::time::Duration::ZERO).await;
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shared(listener: &SharedListener) -> io::Result<Self> {
        Ok(Listener::of(Inner::Shared(listener.share()?)))
    }

    /// Accepts from a Unix socket that listens already.
    ///
    /// # Errors
    ///
    /// As [`from_tcp`](Listener::from_tcp).
    pub fn from_unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        current::engine()?;
        lengthen(&listener)?;
        listener.set_nonblocking(true)?;
        let inner = Inner::Unix(UnixListener::from_std(listener)?);
        Ok(Listener::of(inner))
    }

    /// The sockets that the process was started with, as systemd's socket activation hands them over in `LISTEN_FDS`;
    /// none when there are none. The second call gives none: they have been taken.
    ///
    /// # Errors
    ///
    /// When one of them is no listening TCP or Unix socket. Outside a loop, as [`tcp`](Listener::tcp).
    pub fn inherited() -> io::Result<Vec<Self>> {
        // Before they are taken: an error must not lose them.
        current::engine()?;
        let mut handed = listenfd::ListenFd::from_env();
        let mut listeners = Vec::new();
        for place in 0..handed.len() {
            // Asking for the wrong kind leaves the socket where it is.
            if let Ok(Some(tcp)) = handed.take_tcp_listener(place) {
                listeners.push(Listener::from_tcp(tcp)?);
            } else if let Some(unix) = handed.take_unix_listener(place)? {
                listeners.push(Listener::from_unix(unix)?);
            }
        }
        Ok(listeners)
    }

    /// The socket that the process was started with, for loops that share it.
    pub(crate) fn inherited_to_share() -> io::Result<Option<SharedListener>> {
        let mut handed = listenfd::ListenFd::from_env();
        match handed.len() {
            0 => Ok(None),
            1 => {
                let listener = handed.take_tcp_listener(0)?;
                listener.map(SharedListener::from_std).transpose()
            }
            count => Err(io::Error::other(format!(
                "{count} sockets were handed over, and loops share one"
            ))),
        }
    }

    fn of(inner: Inner) -> Self {
        Listener {
            inner,
            _unlink: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Encrypts what a TCP socket accepts. Unless `config` says which protocols are spoken within, HTTP/1.1 is, and
    /// HTTP/2 with the feature `http2`. A client whose handshake fails, or takes longer than `config` allows, is hung up
    /// on.
    ///
    /// ```no_run
    /// use aio::{http::{App, Listener, Request, serve_until_signal}, tls::ServerConfig};
    ///
    /// let config = ServerConfig::from_pem_files("chain.pem", "key.pem")?;
    /// aio::run(async {
    ///     let listener = Listener::tcp("0.0.0.0:443").await?.tls(&config);
    ///     let app = App::new().get("/", async |_: Request| "in private");
    ///     serve_until_signal(app, [listener], std::time::Duration::from_secs(30)).await
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: &crate::tls::ServerConfig) -> Self {
        let protocols: &[&str] = match cfg!(feature = "http2") {
            true => &["h2", "http/1.1"],
            false => &["http/1.1"],
        };
        let config = config.clone();
        self.tls = Some(match config.rustls().alpn_protocols.is_empty() {
            true => config.alpn(protocols),
            false => config,
        });
        self
    }

    fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }

    /// The TCP address that it listens on.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.inner {
            Inner::Tcp(listener) => listener.local_addr().ok(),
            Inner::Shared(share) => share.local_addr().ok(),
            Inner::Unix(_) => None,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        let (stream, peer, counted) = match &self.inner {
            Inner::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                (stream, peer, None)
            }
            Inner::Shared(share) => {
                let stream = share.accept().await?;
                // Without one it has hung up already.
                let peer = stream.peer_addr();
                let peer = peer.map_err(|_| io::ErrorKind::ConnectionAborted)?;
                (stream, peer, Some(share.count()))
            }
            Inner::Unix(listener) => {
                return Ok(Accepted {
                    socket: Socket::Unix(listener.accept().await?.0),
                    peer: None,
                    counted: None,
                });
            }
        };
        // It fails for a client that has hung up meanwhile, which its first read tells.
        let _ = stream.set_nodelay(true);
        Ok(Accepted {
            socket: Socket::Tcp(stream),
            peer: Some(peer),
            counted,
        })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.inner, self.local_addr()) {
            (_, Some(address)) => write!(f, "{}://{address}", self.scheme()),
            (Inner::Unix(listener), _) => match listener.local_addr() {
                Ok(address) => match address.as_pathname() {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("unix:"),
                },
                Err(_) => f.write_str("unix:"),
            },
            (Inner::Tcp(_) | Inner::Shared(_), None) => f.write_str("tcp"),
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({self})")
    }
}
