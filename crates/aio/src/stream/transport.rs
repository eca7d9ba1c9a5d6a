//! A protocol's side of its connection.

use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::BorrowedFd,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use tokio::net::unix::UCred;

use super::{
    link::{Course, Shared},
    socket::{Socket, no_address, with_fd},
};

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

impl Transport {
    pub(super) fn new(socket: Rc<dyn Socket>) -> Self {
        Transport {
            shared: Rc::new(Shared::new(socket)),
        }
    }

    /// Sends `bytes`, after all that was written before. What the system does not take now is kept. Written after
    /// [`close`](Transport::close) or [`write_eof`](Transport::write_eof), or to a connection that has failed, they are
    /// dropped; who goes on doing so is reported.
    pub fn write(&self, bytes: &[u8]) {
        let shared = &*self.shared;
        if !shared.calm.get() {
            return shared.write_in_turn(bytes);
        }
        match shared.socket.try_write(bytes) {
            Ok(count) if count == bytes.len() && !shared.is_session => {}
            outcome => shared.keep(bytes, outcome),
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
            self.shared.calm.set(false);
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
        self.shared.calm.set(false);
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
        self.shared.unsent.borrow().len()
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
        self.shared.fail(error);
    }

    /// Nothing is to be done but to read.
    pub(super) fn is_calm(&self) -> bool {
        self.shared.calm.get()
    }

    /// Looks whether that is so again.
    pub(super) fn settle(&self) {
        let shared = &*self.shared;
        let calm = shared.course.get() == Course::Open && !shared.has_work() && self.is_reading();
        shared.calm.set(calm);
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

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("peer", &self.shared.socket.peer_addr())
            .field("unsent", &self.write_buffer_size())
            .field("course", &self.shared.course.get())
            .finish()
    }
}
