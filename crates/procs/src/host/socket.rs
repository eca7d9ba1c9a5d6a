//! A parent's end of the socket to a child: it never blocks, and buffers what cannot be sent yet.

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
    Dry,
    /// There may be more.
    More,
    /// The child has closed its end, or it is broken.
    Closed,
}

/// A parent's end of the socket to a child.
pub(crate) struct BufferedSocket {
    stream: UnixStream,
    out: Vec<u8>,
    sent: usize,
    input: ReadBuffer,
    /// Number of bytes read from the socket.
    received: u64,
    /// Number of later bytes that came from the journal; the socket will deliver them again.
    ahead: usize,
    /// Number of sent bytes that are no longer in `out`.
    sent_before: u64,
    closed: bool,
}

impl BufferedSocket {
    /// The stream must be non-blocking.
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            out: Vec::new(),
            sent: 0,
            input: ReadBuffer::new(),
            received: 0,
            ahead: 0,
            sent_before: 0,
            closed: false,
        }
    }

    /// Returns the buffer to which bytes to send are appended.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Returns the number of bytes that wait to be sent.
    pub(crate) fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Sends as much as the socket takes. A closed socket swallows everything: the child's death is seen elsewhere.
    ///
    /// What the kernel has no memory for stays: a part of a frame that is lost would leave the child waiting for ever.
    pub(crate) fn flush(&mut self) {
        while self.sent < self.out.len() {
            match (&self.stream).write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if sys::is_out_of_memory(&error) => return pause(),
                Err(_) => self.sent = self.out.len(),
            }
        }
        self.sent_before += self.sent as u64;
        self.sent = 0;
        self.out.clear();
        // One large value must not hold its memory for the rest of the process's life.
        self.out.shrink_to(1 << 20);
    }

    /// Returns the events to poll: input, and room for output if some waits.
    pub(crate) fn interest(&self) -> PollFd {
        sys::as_poll(self.stream.as_fd(), true, self.sent < self.out.len())
    }

    /// Reads a part of what has arrived, at most half a megabyte, so that no child keeps the others waiting.
    pub(crate) fn fill(&mut self) -> Filled {
        for _ in 0..4 {
            match self.input.read_from(&self.stream, self.ahead) {
                Ok((0, _)) => return self.close(),
                Ok((count, full)) => {
                    self.received += count as u64;
                    self.ahead -= self.ahead.min(count);
                    if !full {
                        // A read that does not fill the buffer has emptied the socket.
                        return Filled::Dry;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Filled::Dry,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if sys::is_out_of_memory(&error) => {
                    pause();
                    return Filled::More;
                }
                Err(_) => return self.close(),
            }
        }
        Filled::More
    }

    fn close(&mut self) -> Filled {
        self.closed = true;
        Filled::Closed
    }

    /// Whether the child has closed its end.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads everything that a child that has ended has left in the socket.
    pub(crate) fn drain(&mut self) {
        while self.fill() == Filled::More {}
    }

    /// Ends a child that this process may not signal, because one of them has changed its user. The child's lifeline finds
    /// the connection closed, and ends it and what it has started.
    pub(crate) fn hang_up(&self) {
        // An error means that it is closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Returns the number of bytes sent and received: a measure of progress.
    pub(crate) fn moved(&self) -> u64 {
        self.received
            .wrapping_add(self.sent_before)
            .wrapping_add(self.sent as u64)
    }

    /// Returns the position of the child's stream up to which it was received, also by the journal.
    pub(crate) fn position(&self) -> u64 {
        self.received + self.ahead as u64
    }

    /// Whether so much came from the journal that the socket should be emptied of it.
    pub(crate) fn is_far_ahead(&self) -> bool {
        self.ahead > 256
    }

    /// Appends bytes of the journal that follow the position.
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

    /// Takes the first `count` unread bytes out.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.input.take(count)
    }
}

/// Lets the kernel find memory. The socket stays ready, so the next poll would return at once.
fn pause() {
    thread::sleep(Duration::from_millis(1));
}

impl AsFd for BufferedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A connected pair: the parent's end, which does not block, and the child's, which does.
pub(crate) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}
