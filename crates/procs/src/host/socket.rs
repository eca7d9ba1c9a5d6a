//! A parent's end of the socket to a child. It never blocks, and buffers what cannot be sent yet.

use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use crate::sys::{self, PollFd};
use crate::wire::ReadBuffer;

/// Result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Everything that had arrived has been read.
    Drained,
    /// The read stopped at its bound: more may have arrived.
    Partial,
    /// The child has closed its end, or it is broken.
    Closed,
}

/// A parent's end of the socket to a child.
pub(crate) struct BufferedSocket {
    stream: UnixStream,
    /// Bytes to send, of which the first `sent` have been sent.
    unsent: Vec<u8>,
    sent: usize,
    input: ReadBuffer,
    /// Number of bytes read from the socket.
    received: u64,
    /// Number of bytes after those that came from the journal. The socket will deliver them again.
    ahead: usize,
    /// Number of sent bytes that are no longer in `unsent`.
    sent_before: u64,
    closed: bool,
}

impl BufferedSocket {
    /// The stream must be non-blocking.
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            unsent: Vec::new(),
            sent: 0,
            input: ReadBuffer::new(),
            received: 0,
            ahead: 0,
            sent_before: 0,
            closed: false,
        }
    }

    /// Returns the buffer to which bytes to send are appended.
    pub(crate) fn write_buffer(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Returns the number of bytes that wait to be sent.
    pub(crate) fn backlog(&self) -> usize {
        self.unsent.len() - self.sent
    }

    /// Sends as much as the socket takes. Discards everything if the socket is closed: the read side reports the child's
    /// end.
    ///
    /// Bytes for which the kernel has no memory stay in the buffer: with a part of a frame lost, the child would wait for
    /// ever.
    pub(crate) fn flush(&mut self) {
        while self.sent < self.unsent.len() {
            match (&self.stream).write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if sys::is_out_of_memory(&error) => return pause(),
                Err(_) => self.sent = self.unsent.len(),
            }
        }
        self.sent_before += self.sent as u64;
        self.sent = 0;
        self.unsent.clear();
        // The memory of one large value is not kept for the rest of the process's life.
        self.unsent.shrink_to(1 << 20);
    }

    /// Returns the events to poll: input, and also output if bytes wait to be sent.
    pub(crate) fn interest(&self) -> PollFd {
        sys::as_poll(self.stream.as_fd(), true, self.sent < self.unsent.len())
    }

    /// Reads at most half a megabyte of what has arrived, so that no child delays the others.
    pub(crate) fn fill(&mut self) -> Filled {
        for _ in 0..4 {
            match self.input.read_from(&self.stream, self.ahead) {
                Ok((0, _)) => return self.close(),
                Ok((count, full)) => {
                    self.received += count as u64;
                    self.ahead -= self.ahead.min(count);
                    if !full {
                        // A read that does not fill the buffer has drained the socket.
                        return Filled::Drained;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Filled::Drained,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if sys::is_out_of_memory(&error) => {
                    pause();
                    return Filled::Partial;
                }
                Err(_) => return self.close(),
            }
        }
        Filled::Partial
    }

    fn close(&mut self) -> Filled {
        self.closed = true;
        Filled::Closed
    }

    /// Whether the child has closed its end.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads everything that is left in the socket of a child that has ended.
    pub(crate) fn drain(&mut self) {
        while self.fill() == Filled::Partial {}
    }

    /// Ends a child that this process may not signal, because one of the two has changed its user. The child's lifeline
    /// thread sees the closed connection, and ends the child and its descendants.
    pub(crate) fn hang_up(&self) {
        // An error means that it is already closed.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Returns the number of bytes sent and received: a measure of progress.
    pub(crate) fn moved(&self) -> u64 {
        self.received
            .wrapping_add(self.sent_before)
            .wrapping_add(self.sent as u64)
    }

    /// Returns the position in the child's stream up to which it was received, including bytes from the journal.
    pub(crate) fn position(&self) -> u64 {
        self.received + self.ahead as u64
    }

    /// Whether so many bytes came from the journal that their copies in the socket should be read.
    pub(crate) fn is_far_ahead(&self) -> bool {
        self.ahead > 256
    }

    /// Appends bytes of the journal that follow [`position`](Self::position).
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.input.append(bytes);
        self.ahead += bytes.len();
    }

    pub(crate) fn unread(&self) -> &[u8] {
        self.input.unread()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// Removes and returns the first `count` unread bytes.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.input.take(count)
    }
}

/// Gives the kernel time to free memory. The socket stays ready, so without a pause the polls would spin.
fn pause() {
    thread::sleep(Duration::from_millis(1));
}

impl AsFd for BufferedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Number of bytes for which an empty socket always has room.
pub(crate) const ALWAYS_FITS: usize = 4096;

/// Makes a connected pair: the parent's end, which is non-blocking, and the child's, which is blocking.
pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = sys::stream_pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}
