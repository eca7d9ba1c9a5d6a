//! The writing half of a connection.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::BorrowedFd,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use tokio::net::unix::UCred;

use super::socket::{Socket, no_address, with_fd};
use crate::{current, task};

/// Above this many unsent bytes `drain` waits.
const HIGH_WATER: usize = 64 * 1024;

/// And until no more than this many are left.
const LOW_WATER: usize = 16 * 1024;

/// Writes to a connection: `write` buffers, `drain` waits while too much is unsent.
///
/// What is written in one step of a task leaves together, when the task waits for something or calls
/// [`drain`](StreamWriter::drain); it leaves also if nobody ever drains. Dropping the writer sends what is left; the
/// socket is closed when the reader is gone too. [`close`](StreamWriter::close) closes both directions.
///
/// An example is at [`StreamReader`](crate::StreamReader).
pub struct StreamWriter {
    outbox: Rc<Outbox>,
}

/// What is still to be sent. Shared with the callback or the task that sends it.
struct Outbox {
    socket: Rc<dyn Socket>,
    state: RefCell<State>,
    /// A callback is queued that sends what is here.
    queued: Cell<bool>,
    /// A task is under way that sends what is here.
    background: Cell<bool>,
    /// How to make that task look again.
    sender: RefCell<Option<Waker>>,
    high: Cell<usize>,
    low: Cell<usize>,
}

struct State {
    bytes: Vec<u8>,
    /// How much of `bytes` is sent.
    sent: usize,
    end: End,
    failure: Option<(io::ErrorKind, String)>,
    waiting: Vec<Waker>,
}

/// What is to happen, or has happened, when everything is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Eof,
    EofSent,
    Close,
    Closed,
}

impl StreamWriter {
    pub(crate) fn new(socket: Rc<dyn Socket>) -> Self {
        let state = State {
            bytes: Vec::new(),
            sent: 0,
            end: End::Open,
            failure: None,
            waiting: Vec::new(),
        };
        let outbox = Outbox {
            socket,
            state: RefCell::new(state),
            queued: Cell::new(false),
            background: Cell::new(false),
            sender: RefCell::new(None),
            high: Cell::new(HIGH_WATER),
            low: Cell::new(LOW_WATER),
        };
        StreamWriter {
            outbox: Rc::new(outbox),
        }
    }

    /// Puts `bytes` into the buffer; never waits. Follow it with [`drain`](StreamWriter::drain), or the buffer grows as
    /// long as the peer does not read. What is written to a connection that has failed or was closed is dropped, and
    /// `drain` tells.
    pub fn write(&self, bytes: &[u8]) {
        let mut state = self.outbox.state.borrow_mut();
        if state.end != End::Open {
            state.fail(
                io::ErrorKind::BrokenPipe,
                "written after close() or write_eof()",
            );
            return;
        }
        if state.failure.is_some() {
            return;
        }
        state.bytes.extend_from_slice(bytes);
        drop(state);
        self.outbox.send_soon();
    }

    /// Sends what the system takes now; then, if more than 64 KiB are left, waits until it is no more than 16 KiB.
    ///
    /// # Errors
    ///
    /// When the connection failed: this and every later call tells.
    pub async fn drain(&self) -> io::Result<()> {
        self.outbox.send_now();
        if self.outbox.unsent() > self.outbox.high.get() {
            self.outbox
                .wait(|outbox| outbox.unsent() <= outbox.low.get())
                .await;
        }
        self.outbox.outcome()
    }

    /// Above `high` unsent bytes [`drain`](StreamWriter::drain) waits, until no more than `low` are left. A `low`
    /// above `high` counts as `high`.
    pub fn set_write_buffer_limits(&self, high: usize, low: usize) {
        self.outbox.high.set(high);
        self.outbox.low.set(low.min(high));
    }

    /// How many bytes wait to be sent.
    pub fn write_buffer_size(&self) -> usize {
        self.outbox.unsent()
    }

    /// Tells the peer, after everything written so far, that nothing more will come. Reading goes on.
    pub fn write_eof(&self) {
        self.finish(End::Eof);
    }

    /// Closes the connection once everything written is sent; does not wait for that. The reader sees the end.
    pub fn close(&self) {
        self.finish(End::Close);
    }

    /// Closes the connection now. What is not sent yet is dropped, and [`drain`](StreamWriter::drain) tells.
    pub fn abort(&self) {
        self.outbox.abort();
    }

    fn finish(&self, end: End) {
        let mut state = self.outbox.state.borrow_mut();
        let closing = matches!(state.end, End::Close | End::Closed);
        if closing || (end == End::Eof && state.end == End::EofSent) {
            return;
        }
        state.end = end;
        drop(state);
        self.outbox.send_now();
    }

    /// Whether [`close`](StreamWriter::close) was called, or the connection failed.
    pub fn is_closing(&self) -> bool {
        let state = self.outbox.state.borrow();
        matches!(state.end, End::Close | End::Closed) || state.failure.is_some()
    }

    /// Waits until the connection is closed, which [`close`](StreamWriter::close) must have begun.
    ///
    /// # Errors
    ///
    /// When the connection failed before everything was sent.
    pub async fn wait_closed(&self) -> io::Result<()> {
        self.outbox
            .wait(|outbox| outbox.state.borrow().end == End::Closed)
            .await;
        self.outbox.outcome()
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// When the connection had failed before it was asked for, and when it is none of the internet.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.outbox.socket.peer_addr().ok_or_else(no_address)
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// As [`peer_addr`](StreamWriter::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.outbox.socket.local_addr().ok_or_else(no_address)
    }

    /// Whose process the peer is, on a Unix socket; `None` on others.
    pub fn peer_cred(&self) -> Option<UCred> {
        self.outbox.socket.peer_cred()
    }

    /// Calls `f` with the connection's descriptor, to set an option of its socket.
    ///
    /// # Errors
    ///
    /// When the connection is closed.
    pub fn with_fd<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> io::Result<R> {
        with_fd(&*self.outbox.socket, f)
    }

    /// The protocol that both sides agreed on within TLS (ALPN), such as `b"h2"`; `None` without TLS or an agreement.
    #[cfg(feature = "tls")]
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.outbox.socket.alpn_protocol()
    }

    /// The certificates that the peer has shown within TLS, in DER, its own first; none of a client that was not asked.
    #[cfg(feature = "tls")]
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        self.outbox.socket.peer_certificates()
    }

    /// Sends what is left and gives the connection, for another kind of writer.
    #[cfg(feature = "tls")]
    pub(crate) async fn into_socket(self) -> io::Result<Rc<dyn Socket>> {
        self.outbox.send_now();
        self.outbox
            .wait(|outbox| outbox.unsent() == 0 && !outbox.background.get())
            .await;
        self.outbox.outcome()?;
        Ok(self.outbox.socket.clone())
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.outbox.send_now();
    }
}

impl State {
    fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
            if self.bytes.capacity() > HIGH_WATER {
                self.bytes = Vec::new();
            }
        }
    }

    fn fail(&mut self, kind: io::ErrorKind, text: &str) {
        if self.failure.is_none() {
            self.failure = Some((kind, text.to_owned()));
        }
        self.bytes = Vec::new();
        self.sent = 0;
    }
}

impl Outbox {
    fn unsent(&self) -> usize {
        self.state.borrow().unsent()
    }

    fn outcome(&self) -> io::Result<()> {
        match &self.state.borrow().failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(()),
        }
    }

    /// Sends in the loop's next iteration, together with what is written until then.
    fn send_soon(self: &Rc<Self>) {
        if self.queued.replace(true) {
            return;
        }
        let outbox = self.clone();
        let queued = current::with_engine(outbox, |outbox, engine| {
            engine.call_soon(move || {
                outbox.queued.set(false);
                outbox.send_now();
            });
        });
        if queued.is_err() {
            self.queued.set(false);
            self.send_now();
        }
    }

    /// Sends what the system takes at once; a task sends the rest.
    fn send_now(self: &Rc<Self>) {
        if self.background.get() {
            return;
        }
        loop {
            let mut state = self.state.borrow_mut();
            if state.unsent() == 0 {
                break;
            }
            match self.socket.try_write(&state.bytes[state.sent..]) {
                Ok(count) => state.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(state);
                    return self.send_in_background();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => state.fail(error.kind(), &error.to_string()),
            }
        }
        if self
            .poll_end(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            self.send_in_background();
        }
        self.notify();
    }

    /// What follows when everything is sent.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let (end, mut failed) = {
            let state = self.state.borrow();
            (state.end, state.failure.is_some())
        };
        if !failed && let Err(error) = ready!(self.socket.poll_flush(cx)) {
            let mut state = self.state.borrow_mut();
            state.fail(error.kind(), &error.to_string());
            failed = true;
        }
        match end {
            End::Eof if !failed => {
                let ended = ready!(self.socket.poll_shutdown(cx));
                let mut state = self.state.borrow_mut();
                state.end = End::EofSent;
                if let Err(error) = ended {
                    state.fail(error.kind(), &error.to_string());
                }
            }
            End::Close => {
                ready!(self.socket.poll_close(cx));
                self.state.borrow_mut().end = End::Closed;
            }
            _ => {}
        }
        Poll::Ready(())
    }

    fn abort(&self) {
        let mut state = self.state.borrow_mut();
        if state.end == End::Closed {
            return;
        }
        if state.unsent() > 0 {
            state.fail(
                io::ErrorKind::ConnectionAborted,
                "aborted with bytes unsent",
            );
        }
        state.end = End::Closed;
        drop(state);
        self.socket.close();
        self.notify();
        let sender = self.sender.take();
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    fn send_in_background(self: &Rc<Self>) {
        let Ok(engine) = current::engine() else {
            return;
        };
        self.background.set(true);
        let sending = Background(self.clone());
        let sender = task::spawn(&engine, async move {
            poll_fn(|cx| sending.0.poll_send(cx)).await
        });
        sender.set_name("stream writer");
        sender.detach();
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.replace(Some(cx.waker().clone()));
        loop {
            let mut state = self.state.borrow_mut();
            if state.unsent() == 0 {
                drop(state);
                let ended = self.poll_end(cx);
                self.notify();
                return ended;
            }
            let written = ready!(self.socket.poll_write(cx, &state.bytes[state.sent..]));
            match written {
                Ok(0) => state.fail(io::ErrorKind::WriteZero, "the system takes no more bytes"),
                Ok(count) => state.advance(count),
                Err(error) => state.fail(error.kind(), &error.to_string()),
            }
            drop(state);
            self.notify();
        }
    }

    fn notify(&self) {
        let waiting = std::mem::take(&mut self.state.borrow_mut().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for `reached`, or for the connection's failure.
    async fn wait(&self, reached: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if reached(self) || self.state.borrow().failure.is_some() {
                return Poll::Ready(());
            }
            let waiting = &mut self.state.borrow_mut().waiting;
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Says, however the sending task ends, that none is under way.
struct Background(Rc<Outbox>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.background.set(false);
        self.0.notify();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("peer", &self.outbox.socket.peer_addr())
            .field("unsent", &self.outbox.unsent())
            .field("closing", &self.is_closing())
            .finish()
    }
}
