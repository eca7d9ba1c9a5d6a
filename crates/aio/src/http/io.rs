//! A socket as hyper reads and writes it.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use ::http::StatusCode;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    forwarded::Link, gate::Phase, hang_up::HangUp, limits::Limits, screen::Screen, socket::Socket,
    watch::Watch,
};

/// A buffer for what is to be sent, shared by a server's connections: one that has sent everything holds none.
pub(crate) type Spare = Rc<RefCell<Vec<u8>>>;

/// With more than this unsent, hyper waits.
const HIGH_WATER: usize = 32 * 1024;
/// How long a client of HTTP/2 that was told to go, and has nothing more to get, may take to say that it has heard.
const PARTING_TIME: Duration = Duration::from_secs(1);
/// How the codec, which hands errors of reading on as they are, is told of trailers that are refused.
pub(crate) const TRAILERS_TOO_LARGE: io::ErrorKind = io::ErrorKind::FileTooLarge;
/// A longer piece is not copied here first.
const COPIED: usize = 8 * 1024;
const PIECE: usize = 2 * 1024;

/// The socket and what is to be sent on it, shared by hyper and the connection's task.
///
/// What hyper writes is sent when its poll is over: the answers to pipelined requests leave in one system call, and no
/// answer ever waits for a later request.
pub(crate) struct Wire {
    socket: RefCell<Socket>,
    outbox: RefCell<Outbox>,
    spare: Spare,
    /// What came while it was found out which protocol is spoken.
    prefix: RefCell<Bytes>,
    screen: RefCell<Screen>,
    /// The client's next request is refused with this; hyper sees the end of the stream.
    pub(crate) refusal: Cell<Option<StatusCode>>,
    /// The body under way is broken, or too slow.
    pub(crate) fault: Cell<Option<io::ErrorKind>>,
    /// The client has ended its side.
    pub(crate) hang_up: HangUp,
    /// The connection's own task, which alone reads: it is woken when somebody wants to hear of the client's end.
    task: RefCell<Option<Waker>>,
    /// Requests whose responses are not done.
    pub(crate) busy: Cell<usize>,
    pub(crate) watch: Watch,
}

#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Wire {
    pub(crate) fn new(socket: Socket, spare: Spare) -> Rc<Self> {
        Rc::new(Wire {
            socket: RefCell::new(socket),
            outbox: RefCell::new(Outbox::default()),
            spare,
            prefix: RefCell::new(Bytes::new()),
            screen: RefCell::default(),
            refusal: Cell::new(None),
            fault: Cell::new(None),
            hang_up: HangUp::default(),
            task: RefCell::new(None),
            busy: Cell::new(0),
            watch: Watch::new(),
        })
    }

    /// What the client is in the middle of.
    pub(crate) fn phase(&self) -> Phase {
        self.screen.borrow().phase()
    }

    pub(crate) fn set_screen(&self, screen: Screen) {
        *self.screen.borrow_mut() = screen;
    }

    /// What comes is no longer HTTP/1.
    pub(crate) fn open_gate(&self) {
        if let Screen::Gate(gate) = &mut *self.screen.borrow_mut() {
            gate.open();
        }
    }

    /// Queues the frame that ends an HTTP/2 connection, if one can be sent.
    #[cfg(feature = "http2")]
    pub(crate) fn push_go_away(&self) {
        if let Some(frame) = self.screen.borrow().go_away() {
            self.push(&frame);
        }
    }

    /// Since when the client takes nothing, though the socket would.
    fn stalled(&self) -> Option<Instant> {
        self.screen.borrow_mut().stalled()
    }

    /// Gives back what was read to find out which protocol is spoken.
    #[cfg(feature = "http2")]
    pub(crate) fn unread(&self, prefix: Bytes) {
        *self.prefix.borrow_mut() = prefix;
    }

    /// The socket itself, for another protocol. What is queued must have been sent.
    pub(crate) fn take_socket(&self) -> Socket {
        self.socket.replace(Socket::Taken)
    }

    /// Queues bytes behind what is unsent.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.push_slices(&[io::IoSlice::new(bytes)]);
    }

    fn push_slices(&self, slices: &[io::IoSlice<'_>]) {
        let queued = &mut self.outbox.borrow_mut().bytes;
        if queued.capacity() == 0 {
            *queued = self.spare.take();
        }
        for slice in slices {
            queued.extend_from_slice(slice);
        }
    }

    /// Sends what is queued.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outbox = &mut *self.outbox.borrow_mut();
        while outbox.sent < outbox.bytes.len() {
            let mut socket = self.socket.borrow_mut();
            match Pin::new(&mut *socket).poll_write(cx, &outbox.bytes[outbox.sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    self.watch.wrote();
                    outbox.sent += count;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.watch.cannot_write();
                    return Poll::Pending;
                }
            }
        }
        if outbox.sent > 0 {
            let mut emptied = std::mem::take(outbox).bytes;
            emptied.clear();
            if emptied.capacity() <= HIGH_WATER {
                self.spare.replace(emptied);
            }
        }
        self.socket.borrow_mut().poll_flushed(cx)
    }

    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut *self.socket.borrow_mut()).poll_shutdown(cx)
    }

    /// Reads a little, past the codec and the gate.
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut piece = [0; PIECE];
        let mut landing = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut *self.socket.borrow_mut()).poll_read(cx, &mut landing))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(landing.filled())))
    }

    /// Whether something waits to be read: then it is not the client who is slow.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.borrow().poll_readable(cx)
    }

    /// Waits until the client has closed its side. Any task may do so.
    pub(crate) async fn hung_up(&self) {
        if !self.hang_up.is_awaited() {
            // It begins to look ahead, in its next turn.
            let task = self.task.borrow();
            task.iter().for_each(Waker::wake_by_ref);
        }
        self.hang_up.wait().await;
    }

    /// Reads ahead while a request is being handled and somebody wants to hear of the client's end. What comes before
    /// the end is kept for the codec, and no more is read then: so the end behind another request is not seen.
    pub(crate) fn poll_ahead(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.remember(cx.waker());
        let wanted = self.hang_up.is_awaited() && self.phase() == Phase::Between;
        if !wanted || self.busy.get() == 0 || !self.prefix.borrow().is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_piece(cx)) {
            Ok(piece) if !piece.is_empty() => {
                self.watch.read(piece.len());
                *self.prefix.borrow_mut() = piece;
            }
            // The end, or an error that comes to the same.
            _ => self.hang_up.tell(),
        }
        Poll::Ready(())
    }

    fn remember(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    pub(crate) fn link(&self, peer: Option<SocketAddr>) -> Link {
        let socket = self.socket.borrow();
        Link {
            peer,
            is_local: socket.is_local(),
            is_encrypted: socket.is_encrypted(),
        }
    }

    /// What was read ahead of a codec that has ended.
    pub(crate) fn take_prefix(&self) -> Bytes {
        self.prefix.take()
    }

    /// Lets the connection be reset instead of ended: the client does not read.
    pub(crate) fn reset(&self) {
        self.socket.borrow().reset_when_dropped();
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size: usize = slices.iter().map(|slice| slice.len()).sum();
        let held = self.outbox.borrow().bytes.len();
        if size <= COPIED && held + size <= HIGH_WATER {
            self.screen.borrow_mut().leaves(slices, size);
            self.push_slices(slices);
            return Poll::Ready(Ok(size));
        }
        ready!(self.poll_drain(cx))?;
        let sent = Pin::new(&mut *self.socket.borrow_mut()).poll_write_vectored(cx, slices);
        match &sent {
            Poll::Pending => self.watch.cannot_write(),
            Poll::Ready(count) => {
                self.watch.wrote();
                let count = *count.as_ref().unwrap_or(&0);
                self.screen.borrow_mut().leaves(slices, count);
            }
        }
        sent
    }

    /// What came, into `landing`: first what was unread.
    fn poll_fill(&self, cx: &mut Context<'_>, landing: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut prefix = self.prefix.borrow_mut();
        if !prefix.is_empty() {
            let count = prefix.len().min(landing.remaining());
            landing.put_slice(&prefix.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = landing.filled().len();
        let polled = Pin::new(&mut *self.socket.borrow_mut()).poll_read(cx, landing);
        match &polled {
            Poll::Pending => self.watch.cannot_read(self.phase()),
            Poll::Ready(_) => self.watch.read(landing.filled().len() - before),
        }
        polled
    }

    /// How much of a piece hyper may see.
    fn admit(&self, piece: &[u8]) -> io::Result<usize> {
        let mut screen = self.screen.borrow_mut();
        let heads = screen.heads();
        let looked = screen.look(piece);
        if screen.heads() != heads {
            self.watch.head_ended();
        }
        let Err(refusal) = looked else {
            return Ok(piece.len());
        };
        if !refusal.in_body {
            self.refusal.set(Some(refusal.status));
        } else {
            let fault = match refusal.status {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => TRAILERS_TOO_LARGE,
                _ => io::ErrorKind::InvalidData,
            };
            self.fault.set(Some(fault));
            if refusal.pass == 0 {
                return Err(fault.into());
            }
        }
        Ok(refusal.pass)
    }

    /// When the next limit of time is reached; `told` means that the client was told to go.
    pub(crate) fn due(&self, limits: &Limits, told: bool) -> Option<Instant> {
        let due = self.watch.due(self.phase(), self.busy.get() > 0, limits);
        let stalled = self
            .stalled()
            .and_then(|since| since.checked_add(limits.write_stall));
        let quiet = told && self.busy.get() == 0 && self.screen.borrow().is_quiet();
        let parted = self.watch.parting(quiet).map(|since| since + PARTING_TIME);
        [due, stalled, parted].into_iter().flatten().min()
    }

    /// Whether the client has taken nothing for too long.
    pub(crate) fn is_stuck(&self, limits: &Limits) -> bool {
        let patience = limits.write_stall;
        self.watch.is_writing()
            || self.stalled().is_some_and(|since| {
                crate::clock::now().saturating_duration_since(since) >= patience
            })
    }
}

/// What hyper holds, within hyper-util's `TokioIo`.
pub(crate) struct Io(pub(crate) Rc<Wire>);

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &*self.0;
        if let Some(fault) = wire.fault.get() {
            return Poll::Ready(Err(fault.into()));
        }
        let ended = wire.hang_up.is_gone() && wire.prefix.borrow().is_empty();
        if ended || wire.refusal.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(wire.poll_fill(cx, buffer))?;
        let came = &buffer.filled()[before..];
        if came.is_empty() {
            wire.hang_up.tell();
        }
        let pass = wire.admit(came);
        buffer.set_filled(before + *pass.as_ref().unwrap_or(&0));
        Poll::Ready(pass.map(|_| ()))
    }
}

impl AsyncWrite for Io {
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

    /// A client that is refused is told so by the connection's task, which then ends this side itself.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.refusal.get().is_some() {
            return Poll::Ready(Ok(()));
        }
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
