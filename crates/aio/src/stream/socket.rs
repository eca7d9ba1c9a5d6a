//! A socket shared by a reader and a writer on one thread.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{reader::StreamReader, writer::StreamWriter};

/// What a stream needs of its connection. Each call is short, so the halves never meet in one.
pub(crate) trait Socket {
    /// At the end of the stream nothing is added to `buffer`; a closed socket is at its end.
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
    /// `WouldBlock` when the system takes no more now.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
    /// Tells the peer that nothing more will come.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Closes both directions. A reader that waits sees the end of the stream.
    fn close(&self);
    fn peer_addr(&self) -> Option<SocketAddr>;
    fn local_addr(&self) -> Option<SocketAddr>;
}

struct Tcp {
    stream: RefCell<Option<TcpStream>>,
    /// Whom to wake when the writer closes the socket under the reader.
    reader: RefCell<Option<Waker>>,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

/// The two halves of a TCP connection. Small messages are sent at once, as asyncio does.
pub(crate) fn halves(stream: TcpStream) -> io::Result<(StreamReader, StreamWriter)> {
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr().ok();
    let local = stream.local_addr().ok();
    let socket = Tcp {
        stream: RefCell::new(Some(stream)),
        reader: RefCell::new(None),
        peer,
        local,
    };
    let socket: Rc<dyn Socket> = Rc::new(socket);
    Ok((StreamReader::new(socket.clone()), StreamWriter::new(socket)))
}

impl Tcp {
    fn with<R>(&self, f: impl FnOnce(Pin<&mut TcpStream>) -> R) -> Result<R, io::Error> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => Ok(f(Pin::new(stream))),
            None => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the stream was closed on this side",
            )),
        }
    }
}

fn flatten<T>(polled: Result<Poll<io::Result<T>>, io::Error>) -> Poll<io::Result<T>> {
    polled.unwrap_or_else(|error| Poll::Ready(Err(error)))
}

impl Socket for Tcp {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Ok(polled) = self.with(|stream| stream.poll_read(cx, buffer)) else {
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

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|stream| stream.try_write(bytes))?
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        flatten(self.with(|stream| stream.poll_write(cx, bytes)))
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        flatten(self.with(|stream| stream.poll_shutdown(cx)))
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
}
