//! The reading half of a connection.

use std::{fmt, future::poll_fn, io, rc::Rc, task::ready};

use tokio::io::ReadBuf;

use super::socket::Socket;
use crate::error::ReadError;

/// How much is asked of the system at once, at least.
const CHUNK: usize = 4096;

/// A buffer that grew beyond this is given back once it is empty.
const KEEP: usize = 64 * 1024;

const DEFAULT_LIMIT: usize = 64 * 1024;

/// Reads from a connection, by amount or up to a separator.
///
/// Bytes are taken from the system only when they are asked for, so a peer that sends faster than it is read is held
/// back by TCP. Every method is safe to cancel: what came before stays in the reader.
///
/// ```
/// use std::time::Duration;
///
/// aio::run(async {
///     let server = aio::start_server("127.0.0.1:0", async |mut reader, writer| {
///         let line: Vec<u8> = reader.readline().await?;
///         writer.write(&line);
///         writer.drain().await?;
///         Ok::<(), std::io::Error>(())
///     })
///     .await?;
///     let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
///     writer.write(b"hello\n");
///     assert_eq!(reader.readuntil(b"\n").await?, b"hello\n");
///     server.close(Duration::from_secs(1)).await;
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StreamReader {
    socket: Rc<dyn Socket>,
    /// Bytes `start..end` are unread; all of it is initialised.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
    at_end: bool,
}

impl StreamReader {
    pub(crate) fn new(socket: Rc<dyn Socket>) -> Self {
        StreamReader {
            socket,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            limit: DEFAULT_LIMIT,
            at_end: false,
        }
    }

    /// Reads what there is, at most `max` bytes; waits for at least one. Empty at the end of the stream, and for a
    /// `max` of zero.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn read(&mut self, max: usize) -> io::Result<Vec<u8>> {
        if self.start == self.end && max > 0 {
            self.fill(max.min(KEEP)).await?;
        }
        Ok(self.take(max.min(self.end - self.start)))
    }

    /// Reads exactly `count` bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError::Incomplete`] with what had come when the stream ended first; [`ReadError::Io`] when the connection
    /// fails.
    pub async fn read_exactly(&mut self, count: usize) -> Result<Vec<u8>, ReadError> {
        while self.end - self.start < count {
            // Grows with what arrives, not with what is asked for.
            if self
                .fill(CHUNK.max((self.end - self.start).min(count)))
                .await?
                == 0
            {
                let partial = self.take(self.end - self.start);
                return Err(ReadError::Incomplete {
                    partial,
                    expected: Some(count),
                });
            }
        }
        Ok(self.take(count))
    }

    /// Reads a line with its `\n`. The last line may lack it; empty at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] when no end of line comes within the [`limit`](StreamReader::limit): the bytes stay
    /// here. [`ReadError::Io`] when the connection fails.
    pub async fn readline(&mut self) -> Result<Vec<u8>, ReadError> {
        match self.readuntil(b"\n").await {
            Err(ReadError::Incomplete { partial, .. }) => Ok(partial),
            other => other,
        }
    }

    /// Reads up to `separator`, and it. An empty separator gives nothing, at once.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] when it does not come within the [`limit`](StreamReader::limit): the bytes stay
    /// here. [`ReadError::Incomplete`] with what had come when the stream ended first; [`ReadError::Io`] when the
    /// connection fails.
    pub async fn readuntil(&mut self, separator: &[u8]) -> Result<Vec<u8>, ReadError> {
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            let held = unread.len();
            if let Some(position) =
                find(&unread[searched..], separator).map(|found| searched + found)
            {
                if position > self.limit {
                    return Err(ReadError::LimitOverrun {
                        held,
                        limit: self.limit,
                    });
                }
                return Ok(self.take(position + separator.len()));
            }
            if held > self.limit {
                return Err(ReadError::LimitOverrun {
                    held,
                    limit: self.limit,
                });
            }
            // The separator may have begun in what was searched.
            searched = held.saturating_sub(separator.len().saturating_sub(1));
            if self.fill(CHUNK).await? == 0 {
                return Err(ReadError::Incomplete {
                    partial: self.take(held),
                    expected: None,
                });
            }
        }
    }

    /// Reads until the stream ends. Without bound: use it with peers that are trusted to end.
    ///
    /// # Errors
    ///
    /// When the connection fails; what had come stays in the reader.
    pub async fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        while self.fill(CHUNK.max(self.end - self.start)).await? > 0 {}
        Ok(self.take(self.end - self.start))
    }

    /// Whether the stream has ended and everything was read.
    pub fn at_eof(&self) -> bool {
        self.at_end && self.start == self.end
    }

    /// Whether bytes have come that were not read.
    #[cfg(feature = "tls")]
    pub(crate) fn has_bytes(&self) -> bool {
        self.start != self.end
    }

    /// How many bytes [`readuntil`](StreamReader::readuntil) and [`readline`](StreamReader::readline) search for their
    /// separator: 64 KiB unless set otherwise.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Sets the [`limit`](StreamReader::limit), in bytes.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes bytes from the socket into the buffer: at least one, or none at the end.
    async fn fill(&mut self, room: usize) -> io::Result<usize> {
        if self.at_end {
            return Ok(0);
        }
        self.make_room(room);
        let (socket, space) = (&self.socket, &mut self.buffer[self.end..]);
        let count = poll_fn(|cx| {
            let mut space = ReadBuf::new(space);
            ready!(socket.poll_read(cx, &mut space))?;
            std::task::Poll::Ready(Ok::<_, io::Error>(space.filled().len()))
        })
        .await?;
        self.end += count;
        self.at_end = count == 0;
        Ok(count)
    }

    fn make_room(&mut self, room: usize) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let needed = self.end + room.max(CHUNK);
        if self.buffer.len() < needed {
            let doubled = self.buffer.len() * 2;
            self.buffer.resize(needed.max(doubled), 0);
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.buffer[self.start..self.start + count].to_vec();
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > KEEP {
                self.buffer = Vec::new();
            }
        }
        taken
    }
}

fn find(bytes: &[u8], separator: &[u8]) -> Option<usize> {
    match separator {
        [] => Some(0),
        [byte] => bytes.iter().position(|candidate| candidate == byte),
        _ => bytes
            .windows(separator.len())
            .position(|window| window == separator),
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("buffered", &(self.end - self.start))
            .field("limit", &self.limit)
            .field("at_end", &self.at_end)
            .finish_non_exhaustive()
    }
}
