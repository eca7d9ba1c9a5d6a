//! The writing half of a connection.

use std::{fmt, io, net::SocketAddr, os::fd::BorrowedFd, rc::Rc};

use tokio::net::unix::UCred;

use super::{
    outbox::{End, Outbox},
    socket::{Socket, no_address, with_fd},
};

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

impl StreamWriter {
    pub(crate) fn new(socket: Rc<dyn Socket>) -> Self {
        StreamWriter {
            outbox: Outbox::new(socket),
        }
    }

    /// Puts `bytes` into the buffer; never waits. Follow it with [`drain`](StreamWriter::drain), or the buffer grows as
    /// long as the peer does not read. What is written to a connection that has failed or was closed is dropped, and
    /// `drain` tells.
    pub fn write(&self, bytes: &[u8]) {
        self.outbox.write(bytes);
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
        self.outbox.finish(End::Eof);
    }

    /// Closes the connection once everything written is sent; does not wait for that. The reader sees the end.
    pub fn close(&self) {
        self.outbox.finish(End::Close);
    }

    /// Closes the connection now. What is not sent yet is dropped, and [`drain`](StreamWriter::drain) tells.
    pub fn abort(&self) {
        self.outbox.abort();
    }

    /// Whether [`close`](StreamWriter::close) was called, or the connection failed.
    pub fn is_closing(&self) -> bool {
        self.outbox.is_closing()
    }

    /// Waits until the connection is closed, which [`close`](StreamWriter::close) must have begun.
    ///
    /// # Errors
    ///
    /// When the connection failed before everything was sent.
    pub async fn wait_closed(&self) -> io::Result<()> {
        self.outbox.wait(Outbox::is_closed).await;
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
        self.outbox.wait(Outbox::is_idle).await;
        self.outbox.outcome()?;
        Ok(self.outbox.socket.clone())
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.outbox.send_now();
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
