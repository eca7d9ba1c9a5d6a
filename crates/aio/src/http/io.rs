//! A tokio socket as hyper reads and writes it.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Where bytes land before hyper takes them. One for all connections of a server: hyper's own buffer is uninitialised,
/// and filling it in place would need unsafe code.
pub(crate) type Scratch = Rc<RefCell<Box<[u8]>>>;

pub(crate) fn scratch() -> Scratch {
    Rc::new(RefCell::new(vec![0; 64 * 1024].into_boxed_slice()))
}

/// With more than this unsent, hyper waits; a piece of this size is not copied here first.
const HIGH_WATER: usize = 32 * 1024;

/// The socket and what is to be sent on it, shared by hyper and the connection's task.
///
/// What hyper writes is sent when its poll is over: the answers to pipelined requests leave in one system call, and no
/// answer ever waits for a later request.
pub(crate) struct Wire {
    stream: RefCell<TcpStream>,
    outbox: RefCell<Outbox>,
    scratch: Scratch,
    /// Bytes have come since the last answer: a request has begun.
    pub(crate) in_request: Cell<bool>,
}

#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, scratch: Scratch) -> Rc<Self> {
        Rc::new(Wire {
            stream: RefCell::new(stream),
            outbox: RefCell::new(Outbox::default()),
            scratch,
            in_request: Cell::new(false),
        })
    }

    /// Queues bytes behind what is unsent.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.outbox.borrow_mut().bytes.extend_from_slice(bytes);
        self.in_request.set(false);
    }

    /// Sends what is queued.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outbox = &mut *self.outbox.borrow_mut();
        while outbox.sent < outbox.bytes.len() {
            let mut stream = self.stream.borrow_mut();
            match ready!(Pin::new(&mut *stream).poll_write(cx, &outbox.bytes[outbox.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => outbox.sent += count,
            }
        }
        outbox.sent = 0;
        outbox.bytes.clear();
        if outbox.bytes.capacity() > HIGH_WATER {
            outbox.bytes = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }

    /// Reads and throws away; gives how much it was.
    pub(crate) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = self.scratch.borrow_mut();
        let mut landing = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut landing))?;
        Poll::Ready(Ok(landing.filled().len()))
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size: usize = slices.iter().map(|slice| slice.len()).sum();
        let held = self.outbox.borrow().bytes.len();
        if held + size <= HIGH_WATER {
            slices.iter().for_each(|slice| self.push(slice));
            return Poll::Ready(Ok(size));
        }
        ready!(self.poll_drain(cx))?;
        self.in_request.set(false);
        Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, slices)
    }
}

/// What hyper holds.
pub(crate) struct Io(pub(crate) Rc<Wire>);

impl Read for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = self.0.scratch.borrow_mut();
        let room = buffer.remaining().min(scratch.len());
        let mut landing = ReadBuf::new(&mut scratch[..room]);
        ready!(Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(cx, &mut landing))?;
        buffer.put_slice(landing.filled());
        if !landing.filled().is_empty() {
            self.0.in_request.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, &[io::IoSlice::new(bytes)])
    }

    /// The connection's task sends what is queued, as soon as hyper has had its turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, slices)
    }
}
