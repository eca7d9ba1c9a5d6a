//! What a reader and a writer share: a connection of any kind, used from one thread.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream, unix::UCred},
    task::coop,
};

use super::{reader::StreamReader, writer::StreamWriter};

/// What a stream needs of its connection. Each call is short, so the halves never meet in one.
pub(crate) trait Socket {
    /// At the end of the stream nothing is added to `buffer`; a closed socket is at its end.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
    /// It keeps bytes that were written until they are flushed.
    fn is_session(&self) -> bool;
    /// `WouldBlock` when the system takes no more now.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
    /// Hands to the system what the connection itself holds back.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Tells the peer that nothing more will come.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Takes leave of the peer where the protocol asks for it, then closes both directions.
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// Closes both directions at once. A reader that waits sees the end of the stream.
    fn close(&self);
    fn peer_addr(&self) -> Option<SocketAddr>;
    fn local_addr(&self) -> Option<SocketAddr>;
    /// Who the peer is, on a Unix socket.
    fn peer_cred(&self) -> Option<UCred>;
    /// Calls `f` with the descriptor, if there still is one.
    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>));
    /// The protocol agreed on within TLS.
    #[cfg(feature = "tls")]
    fn alpn_protocol(&self) -> Option<Vec<u8>>;
    /// What the peer has shown of itself within TLS, in DER.
    #[cfg(feature = "tls")]
    fn peer_certificates(&self) -> Vec<Vec<u8>>;
}

/// A kind of connection that tokio, or a library for it, reads and writes.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + 'static {
    /// It keeps bytes that were written, and the peer expects a farewell.
    const IS_SESSION: bool = false;

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match poll_unconstrained(|cx| Pin::new(&mut *self).poll_write(cx, bytes)) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn peer_cred(&self) -> Option<UCred> {
        None
    }

    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>));

    #[cfg(feature = "tls")]
    fn alpn_protocol(&self) -> Option<Vec<u8>> {
        None
    }

    #[cfg(feature = "tls")]
    fn peer_certificates(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

impl Io for TcpStream {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TcpStream::try_write(self, bytes)
    }

    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>)) {
        f(self.as_fd());
    }
}

impl Io for UnixStream {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        UnixStream::try_write(self, bytes)
    }

    fn peer_cred(&self) -> Option<UCred> {
        UnixStream::peer_cred(self).ok()
    }

    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>)) {
        f(self.as_fd());
    }
}

/// Polls once, for what can be had now. Unconstrained: with tokio's budget spent everything would seem to be pending.
pub(crate) fn poll_unconstrained<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let mut cx = Context::from_waker(Waker::noop());
    let once = pin!(coop::unconstrained(std::future::poll_fn(|cx| poll(cx))));
    once.poll(&mut cx)
}

struct Shared<S: Io> {
    stream: RefCell<Option<S>>,
    /// Whom to wake when the writer closes the socket under the reader.
    reader: RefCell<Option<Waker>>,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

/// The connection as its readers and writers share it.
pub(crate) fn share<S: Io>(
    stream: S,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
) -> Rc<dyn Socket> {
    Rc::new(Shared {
        stream: RefCell::new(Some(stream)),
        reader: RefCell::new(None),
        peer,
        local,
    })
}

/// A TCP connection. Small messages are sent at once, as asyncio does.
pub(crate) fn share_tcp(stream: TcpStream) -> io::Result<Rc<dyn Socket>> {
    stream.set_nodelay(true)?;
    let (peer, local) = (stream.peer_addr().ok(), stream.local_addr().ok());
    Ok(share(stream, peer, local))
}

/// Why a connection has no address of the internet.
pub(crate) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the connection has no internet address: it had failed before, or is a Unix socket or a pipe",
    )
}

/// Calls `f` with a connection's descriptor.
pub(crate) fn with_fd<R>(
    socket: &dyn Socket,
    f: impl FnOnce(BorrowedFd<'_>) -> R,
) -> io::Result<R> {
    let (mut f, mut result) = (Some(f), None);
    socket.with_fd(&mut |descriptor| result = f.take().map(|f| f(descriptor)));
    result.ok_or_else(|| io::ErrorKind::NotConnected.into())
}

/// The two halves of a connection.
pub(crate) fn halves(socket: Rc<dyn Socket>) -> (StreamReader, StreamWriter) {
    (StreamReader::new(socket.clone()), StreamWriter::new(socket))
}

impl<S: Io> Shared<S> {
    fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> io::Result<R> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => Ok(f(stream)),
            None => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the stream was closed on this side",
            )),
        }
    }

    fn poll<R>(&self, f: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.with(|stream| f(Pin::new(stream)))
            .unwrap_or_else(|error| Poll::Ready(Err(error)))
    }
}

impl<S: Io> Socket for Shared<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Ok(polled) = self.with(|stream| Pin::new(stream).poll_read(cx, buffer)) else {
            return Poll::Ready(Ok(()));
        };
        if polled.is_pending() {
            let mut reader = self.reader.borrow_mut();
            if !reader
                .as_ref()
                .is_some_and(|held| held.will_wake(cx.waker()))
            {
                *reader = Some(cx.waker().clone());
            }
        }
        polled
    }

    fn is_session(&self) -> bool {
        S::IS_SESSION
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|stream| stream.try_write(bytes))?
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if S::IS_SESSION {
            self.poll(|stream| stream.poll_flush(cx))
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(cx))
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()> {
        if S::IS_SESSION {
            // A farewell that cannot be sent any more changes nothing: the connection ends.
            let _ = ready!(self.poll_shutdown(cx));
        }
        self.close();
        Poll::Ready(())
    }

    fn close(&self) {
        let stream = self.stream.borrow_mut().take();
        drop(stream);
        let reader = self.reader.borrow_mut().take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    fn peer_cred(&self) -> Option<UCred> {
        self.stream.borrow().as_ref()?.peer_cred()
    }

    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>)) {
        if let Some(stream) = &*self.stream.borrow() {
            stream.with_fd(f);
        }
    }

    #[cfg(feature = "tls")]
    fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.stream.borrow().as_ref()?.alpn_protocol()
    }

    #[cfg(feature = "tls")]
    fn peer_certificates(&self) -> Vec<Vec<u8>> {
        let stream = self.stream.borrow();
        stream
            .as_ref()
            .map(S::peer_certificates)
            .unwrap_or_default()
    }
}

impl<S: Io> Drop for Shared<S> {
    fn drop(&mut self) {
        if S::IS_SESSION && self.stream.get_mut().is_some() {
            // Both halves were dropped: what the system takes of the farewell now is all that is sent.
            let _ = poll_unconstrained(|cx| self.poll_shutdown(cx));
        }
    }
}
