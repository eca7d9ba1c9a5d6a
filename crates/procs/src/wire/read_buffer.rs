//! Bytes that have been read from a socket and not yet parsed.

use std::io::{self, Read};

/// A buffer between a socket and a parser.
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Largest number of bytes of one read. It starts small, because many processes send only a few bytes in all.
    step: usize,
}

impl ReadBuffer {
    const FIRST_STEP: usize = 4 * 1024;
    const STEP: usize = 128 * 1024;

    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            step: Self::FIRST_STEP,
        }
    }

    /// Returns the bytes that have not been consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Removes the first `count` unread bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            // The memory of one large value is not kept for the rest of the process's life.
            if self.bytes.len() > 8 * Self::STEP {
                self.bytes = Vec::new();
            }
        }
    }

    /// Removes and returns the first `count` unread bytes. A large value is moved rather than copied.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        if count < Self::STEP || self.start > 0 {
            let bytes = self.unread()[..count].to_vec();
            self.consume(count);
            return bytes;
        }
        let rest = self.bytes[count..self.end].to_vec();
        let mut bytes = std::mem::replace(&mut self.bytes, rest);
        (self.start, self.end) = (0, self.bytes.len());
        bytes.truncate(count);
        bytes
    }

    /// Appends bytes that did not come from the socket.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Reads once and discards the first `skip` bytes. Returns how many bytes arrived, and whether they filled the room, so
    /// that there may be more.
    pub(crate) fn read_from(
        &mut self,
        mut source: impl Read,
        skip: usize,
    ) -> io::Result<(usize, bool)> {
        self.make_room(self.step);
        let room = &mut self.bytes[self.end..self.end + self.step];
        let count = source.read(room)?;
        let full = count == room.len();
        if full {
            self.step = Self::STEP;
        }
        let dropped = skip.min(count);
        self.bytes
            .copy_within(self.end + dropped..self.end + count, self.end);
        self.end += count - dropped;
        Ok((count, full))
    }

    fn make_room(&mut self, count: usize) {
        if self.bytes.len() - self.end >= count {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.bytes.len() - self.end < count {
            let size = (self.end + count).max(2 * self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }
}
