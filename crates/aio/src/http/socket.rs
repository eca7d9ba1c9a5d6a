//! What a connection may run over.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

/// A connection's socket.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<TcpStream>>),
    /// Another protocol has it now.
    Taken,
}

impl Socket {
    fn stream(&mut self) -> Option<Pin<&mut (dyn Duplex + Unpin)>> {
        match self {
            Socket::Tcp(stream) => Some(Pin::new(stream)),
            Socket::Unix(stream) => Some(Pin::new(stream)),
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => Some(Pin::new(&mut **stream)),
            Socket::Taken => None,
        }
    }

    /// Sends what the socket itself holds back: only TLS does so, and the others are not asked.
    pub(crate) fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
            _ => {
                let _ = cx;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// The same, encrypted; None when the handshake fails.
    #[cfg(feature = "tls")]
    pub(crate) async fn encrypt(self, config: &crate::tls::ServerConfig) -> Option<Self> {
        match self {
            Socket::Tcp(stream) => {
                let stream = config.handshake(stream).await.ok()?;
                Some(Socket::Tls(Box::new(stream)))
            }
            other => Some(other),
        }
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let ready = match self {
            Socket::Tcp(stream) => stream.poll_read_ready(cx),
            Socket::Unix(stream) => stream.poll_read_ready(cx),
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => stream.get_ref().0.poll_read_ready(cx),
            Socket::Taken => return Poll::Ready(()),
        };
        ready.map(|_| ())
    }

    /// Whether nobody between the client and us can read along.
    pub(crate) fn is_encrypted(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Socket::Tls(_) = self {
            return true;
        }
        false
    }

    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Socket::Unix(_))
    }

    /// Lets the system forget what is unsent.
    pub(crate) fn reset_when_dropped(&self) {
        let stream = match self {
            Socket::Tcp(stream) => stream,
            #[cfg(feature = "tls")]
            Socket::Tls(stream) => stream.get_ref().0,
            _ => return,
        };
        // A socket that cannot be told so is closed in the ordinary way.
        let _ = stream.set_zero_linger();
    }
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite {}
impl<S: AsyncRead + AsyncWrite> Duplex for S {}

fn taken() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            other => match other.stream() {
                Some(stream) => stream.poll_read(cx, buffer),
                None => Poll::Ready(Err(taken())),
            },
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            other => match other.stream() {
                Some(stream) => stream.poll_write(cx, bytes),
                None => Poll::Ready(Err(taken())),
            },
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut().stream() {
            Some(stream) => stream.poll_write_vectored(cx, slices),
            None => Poll::Ready(Err(taken())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().stream() {
            Some(stream) => stream.poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().stream() {
            Some(stream) => stream.poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}
