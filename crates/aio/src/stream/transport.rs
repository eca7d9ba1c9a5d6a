//! A protocol's side of its connection.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    net::SocketAddr,
    os::fd::BorrowedFd,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use tokio::net::unix::UCred;

use super::{
    outbox::{HIGH_WATER, LOW_WATER},
    socket::{Socket, no_address, poll_unconstrained, with_fd},
};
use crate::current;

/// After this many writes to a connection that is gone, it is reported once.
const LOST_WRITES: u32 = 5;

/// Writes to a [`Protocol`](crate::Protocol)'s connection, and closes it. A handle: clones mean the same connection.
///
/// No method waits. What the system does not take at once is kept and sent when it does;
/// [`pause_writing`](crate::Protocol::pause_writing) tells when that is too much. Dropping it changes nothing.
///
/// An example is at [`Protocol`](crate::Protocol).
#[derive(Clone)]
pub struct Transport {
    shared: Rc<Shared>,
}

struct Shared {
    socket: Rc<dyn Socket>,
    /// The socket keeps bytes until they are flushed.
    is_session: bool,
    outbox: RefCell<Outbox>,
    course: Cell<Course>,
    /// A session holds bytes back that must be flushed.
    unflushed: Cell<bool>,
    paused_reading: Cell<bool>,
    failure: RefCell<Option<io::Error>>,
    lost_writes: Cell<u32>,
    high: Cell<usize>,
    low: Cell<usize>,
    /// How to make the connection's task look again.
    driver: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

/// How far a connection has come. Later ones do not go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Course {
    Open,
    /// No more will be written; the peer is to be told.
    Eof,
    EofSent,
    /// To be closed when everything is sent.
    Closing,
    Closed,
}

impl Transport {
    pub(super) fn new(socket: Rc<dyn Socket>) -> Self {
        let shared = Shared {
            is_session: socket.is_session(),
            socket,
            outbox: RefCell::default(),
            course: Cell::new(Course::Open),
            unflushed: Cell::new(false),
            paused_reading: Cell::new(false),
            failure: RefCell::new(None),
            lost_writes: Cell::new(0),
            high: Cell::new(HIGH_WATER),
            low: Cell::new(LOW_WATER),
            driver: RefCell::new(None),
        };
        Transport {
            shared: Rc::new(shared),
        }
    }

    /// Sends `bytes`, after all that was written before. What the system does not take now is kept. Written after
    /// [`close`](Transport::close) or [`write_eof`](Transport::write_eof), or to a connection that has failed, they are
    /// dropped; who goes on doing so is reported.
    pub fn write(&self, bytes: &[u8]) {
        let shared = &*self.shared;
        if shared.course.get() != Course::Open || shared.failure.borrow().is_some() {
            return shared.lost_write();
        }
        let mut outbox = shared.outbox.borrow_mut();
        if outbox.unsent() > 0 {
            return outbox.bytes.extend_from_slice(bytes);
        }
        match shared.socket.try_write(bytes) {
            Ok(count) if count == bytes.len() && !shared.is_session => return,
            Ok(count) => outbox.bytes.extend_from_slice(&bytes[count..]),
            Err(error) if is_for_now(&error) => outbox.bytes.extend_from_slice(bytes),
            Err(error) => drop(shared.failure.replace(Some(error))),
        }
        drop(outbox);
        if shared.is_session {
            let flushed = poll_unconstrained(|cx| shared.socket.poll_flush(cx));
            shared.unflushed.set(flushed.is_pending());
        }
        if shared.has_work() {
            shared.wake();
        }
    }

    /// Tells the peer, after everything written so far, that nothing more will come. Reading goes on.
    pub fn write_eof(&self) {
        self.advance(Course::Eof);
    }

    /// Reads no more, sends what was written, and closes. Then
    /// [`connection_lost`](crate::Protocol::connection_lost) is called, without an error.
    pub fn close(&self) {
        self.advance(Course::Closing);
    }

    /// Closes now; what is unsent is dropped. Then [`connection_lost`](crate::Protocol::connection_lost) is called, without
    /// an error.
    pub fn abort(&self) {
        self.shared.close_now();
        self.shared.wake();
    }

    fn advance(&self, course: Course) {
        if self.shared.course.get() < course {
            self.shared.course.set(course);
            self.shared.wake();
        }
    }

    /// Whether it is closed or will be.
    pub fn is_closing(&self) -> bool {
        self.shared.course.get() >= Course::Closing || self.shared.failure.borrow().is_some()
    }

    /// Calls [`data_received`](crate::Protocol::data_received) no more, until
    /// [`resume_reading`](Transport::resume_reading): a peer that sends too fast is held back.
    pub fn pause_reading(&self) {
        self.shared.paused_reading.set(true);
    }

    /// Goes on reading.
    pub fn resume_reading(&self) {
        if self.shared.paused_reading.replace(false) {
            self.shared.wake();
        }
    }

    /// Whether it reads: it was neither paused nor closed.
    pub fn is_reading(&self) -> bool {
        !self.shared.paused_reading.get() && !self.is_closing()
    }

    /// Above `high` unsent bytes [`pause_writing`](crate::Protocol::pause_writing) is called, and
    /// [`resume_writing`](crate::Protocol::resume_writing) when no more than `low` are left: 64 KiB and 16 KiB unless set
    /// otherwise. A `low` above `high` counts as `high`.
    pub fn set_write_buffer_limits(&self, high: usize, low: usize) {
        self.shared.high.set(high);
        self.shared.low.set(low.min(high));
        self.shared.wake();
    }

    /// The limits, as `(high, low)`, in bytes.
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        (self.shared.high.get(), self.shared.low.get())
    }

    /// How many bytes wait to be sent.
    pub fn write_buffer_size(&self) -> usize {
        self.shared.outbox.borrow().unsent()
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// When the connection had failed before it was asked for, and when it is none of the internet.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.peer_addr().ok_or_else(no_address)
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// As [`peer_addr`](Transport::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr().ok_or_else(no_address)
    }

    /// Whose process the peer is, on a Unix socket; `None` on others.
    pub fn peer_cred(&self) -> Option<UCred> {
        self.shared.socket.peer_cred()
    }

    /// Calls `f` with the connection's descriptor, to set an option of its socket.
    ///
    /// # Errors
    ///
    /// When the connection is closed.
    pub fn with_fd<R>(&self, f: impl FnOnce(BorrowedFd<'_>) -> R) -> io::Result<R> {
        with_fd(&*self.shared.socket, f)
    }

    /// The protocol that both sides agreed on within TLS (ALPN), such as `b"h2"`; `None` without TLS or an agreement.
    #[cfg(feature = "tls")]
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.shared.socket.alpn_protocol()
    }

    /// The certificates that the peer has shown within TLS, in DER, its own first; none of a client that was not asked.
    #[cfg(feature = "tls")]
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        self.shared.socket.peer_certificates()
    }
}

/// For the connection's task.
impl Transport {
    pub(super) fn socket(&self) -> &dyn Socket {
        &*self.shared.socket
    }

    pub(super) fn drive_with(&self, waker: &Waker) {
        let mut driver = self.shared.driver.borrow_mut();
        if !driver.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *driver = Some(waker.clone());
        }
    }

    pub(super) fn fail(&self, error: io::Error) {
        let mut failure = self.shared.failure.borrow_mut();
        failure.get_or_insert(error);
    }

    /// Whether there is anything to do but to read.
    pub(super) fn has_work(&self) -> bool {
        self.shared.has_work()
    }

    /// Sends what is unsent, and does what is to follow. Ready when the connection is closed, with what ended it.
    pub(super) fn poll_work(&self, cx: &mut Context<'_>) -> Poll<Option<io::Error>> {
        let shared = &*self.shared;
        if shared.course.get() < Course::Closed {
            match shared.poll_send(cx) {
                Poll::Ready(Err(error)) => self.fail(error),
                Poll::Ready(Ok(())) if shared.course.get() == Course::Closing => {
                    ready!(shared.socket.poll_close(cx));
                    shared.course.set(Course::Closed);
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        let failure = shared.failure.take();
        if failure.is_some() {
            shared.close_now();
        }
        if shared.course.get() == Course::Closed {
            return Poll::Ready(failure);
        }
        Poll::Pending
    }

    pub(super) fn close_now(&self) {
        self.shared.close_now();
    }
}

impl Shared {
    fn has_work(&self) -> bool {
        let course = self.course.get();
        self.outbox.borrow().unsent() > 0
            || self.unflushed.get()
            || (course != Course::Open && course != Course::EofSent)
            || self.failure.borrow().is_some()
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut outbox = self.outbox.borrow_mut();
            if outbox.unsent() == 0 {
                break;
            }
            match ready!(self.socket.poll_write(cx, &outbox.bytes[outbox.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => outbox.advance(count),
            }
            self.unflushed.set(self.is_session);
        }
        if self.unflushed.get() {
            ready!(self.socket.poll_flush(cx))?;
            self.unflushed.set(false);
        }
        if self.course.get() == Course::Eof {
            ready!(self.socket.poll_shutdown(cx))?;
            self.course.set(Course::EofSent);
        }
        Poll::Ready(Ok(()))
    }

    fn close_now(&self) {
        self.course.set(Course::Closed);
        self.outbox.take();
        self.unflushed.set(false);
        self.socket.close();
    }

    fn wake(&self) {
        if let Some(driver) = &*self.driver.borrow() {
            driver.wake_by_ref();
        }
    }

    fn lost_write(&self) {
        self.lost_writes
            .set(self.lost_writes.get().saturating_add(1));
        if self.lost_writes.get() == LOST_WRITES
            && let Ok(engine) = current::engine()
        {
            let advice = "ask is_closing(), or stop at connection_lost";
            engine.reporter.report(
                "a protocol goes on writing to a connection that is closed",
                None,
                &advice,
            );
        }
    }
}

impl Outbox {
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
}

fn is_for_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("peer", &self.shared.socket.peer_addr())
            .field("unsent", &self.write_buffer_size())
            .field("course", &self.shared.course.get())
            .finish()
    }
}
