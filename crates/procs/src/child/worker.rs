//! A child's side: takes the set-up, runs tasks, sends records.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use crate::child::panic;
use crate::sys;
use crate::task::{CallError, Entry};
use crate::wire::journal::{Journal, MAX_RECORD, RING_SIZE};
use crate::wire::{self, ReadBuffer, Tag, frame};

/// Results of short tasks are sent together; none waits longer than this, unless the next task takes
/// longer: then the parent finds them in the page.
const GATHER_NANOS: u64 = 30_000;

/// A child's end of the socket, for reading.
pub(crate) struct FrameReader {
    stream: UnixStream,
    buffer: ReadBuffer,
}

impl FrameReader {
    pub(crate) fn new(stream: UnixStream, first: &[u8]) -> Self {
        let mut buffer = ReadBuffer::new();
        buffer.append(first);
        Self { stream, buffer }
    }

    /// Whether this many bytes are here already.
    fn has(&self, count: usize) -> bool {
        self.buffer.unread().len() >= count
    }

    /// Blocks until this many bytes are here. The parent's end is the parent's life: without it, an error.
    pub(crate) fn need(&mut self, count: usize) -> io::Result<()> {
        while !self.has(count) {
            match self.buffer.read_from(&self.stream, 0) {
                Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.need(count)?;
        let bytes = self.buffer.unread()[..count].to_vec();
        self.buffer.consume(count);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.need(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.buffer.unread()[..N]);
        self.buffer.consume(N);
        Ok(array)
    }
}

/// Runs a task and leaves its record's payload in `payload`.
pub(crate) fn run(entry: &Entry, args: &[u8], payload: &mut Vec<u8>) -> Tag {
    payload.clear();
    match panic::catch(|| (entry.call)(args, payload)) {
        Ok(Ok(())) => Tag::Value,
        Ok(Err(CallError::Arguments(error))) => {
            *payload = error.to_string().into_bytes();
            Tag::BadArguments
        }
        Ok(Err(CallError::Output(error))) => {
            *payload = error.to_string().into_bytes();
            Tag::BadOutput
        }
        Err(panicked) => {
            *payload = wire::encode_panic(&panicked);
            Tag::Panicked
        }
    }
}

/// Sends one record at once.
pub(crate) fn send(mut stream: &UnixStream, tag: Tag, payload: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(payload.len() + 8);
    wire::put_record_head(&mut bytes, tag, payload.len());
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes)
}

/// A worker's records: first into the shared page, where they outlive the worker, then in batches into the socket.
struct ResultWriter<'a> {
    stream: &'a UnixStream,
    page: &'a Journal,
    /// The end of what is committed.
    position: u64,
    /// The records that are committed but not sent.
    unsent: Vec<u8>,
    /// When the oldest of them was made.
    since: u64,
}

impl ResultWriter<'_> {
    fn record(&mut self, tag: Tag, payload: &[u8], now: u64) -> io::Result<()> {
        let size = payload.len() + 8;
        if self.unsent.len() + size > RING_SIZE || size > MAX_RECORD {
            self.flush()?;
        }
        if self.unsent.is_empty() {
            self.since = now;
        }
        let start = self.unsent.len();
        wire::put_record_head(&mut self.unsent, tag, payload.len());
        self.unsent.extend_from_slice(payload);
        let added = &self.unsent[start..];
        let end = self.position + added.len() as u64;
        if size <= MAX_RECORD {
            self.page.write(self.position, added);
            self.page.publish(end);
            self.position = end;
            return Ok(());
        }
        self.position = end;
        self.flush()?;
        self.page.publish_bypass(end);
        self.unsent = Vec::new();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut stream = self.stream;
        stream.write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }
}

/// A pool's worker.
pub(crate) struct Worker<'a> {
    reader: FrameReader,
    writer: ResultWriter<'a>,
    page: &'a Journal,
    payload: Vec<u8>,
    /// The parent has taken back what is in the socket: skip until it says that it is done.
    skipping: bool,
}

impl<'a> Worker<'a> {
    /// `position` is how many bytes this child has sent already.
    pub(crate) fn new(
        reader: FrameReader,
        stream: &'a UnixStream,
        page: &'a Journal,
        position: u64,
    ) -> Self {
        let writer = ResultWriter {
            stream,
            page,
            position,
            unsent: Vec::new(),
            since: 0,
        };
        page.publish(position);
        Self {
            reader,
            writer,
            page,
            payload: Vec::new(),
            skipping: false,
        }
    }

    /// Serves frames until the parent says stop, or is gone.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        loop {
            self.await_bytes(1)?;
            match self.reader.array::<1>()?[0] {
                frame::TASKS => self.tasks()?,
                frame::RESUME => {
                    self.skipping = false;
                    self.page.resume();
                    self.writer
                        .record(Tag::Resumed, &[], sys::monotonic_nanos())?;
                }
                frame::STOP => return self.writer.flush(),
                _ => return Err(ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Before it sleeps, a worker sends what it has.
    fn await_bytes(&mut self, count: usize) -> io::Result<()> {
        if self.reader.has(count) {
            return Ok(());
        }
        self.writer.flush()?;
        self.reader.need(count)
    }

    fn tasks(&mut self) -> io::Result<()> {
        self.await_bytes(frame::TASKS_HEADER - 1)?;
        let id = self.reader.u64()?;
        let count = self.reader.u32()?;
        let length = self.reader.u64()? as usize;
        self.await_bytes(length)?;
        // The set-up agreed on the whole table, so an unknown id is a broken stream.
        let entry = crate::task::find(id).ok_or(ErrorKind::InvalidData)?;
        let mut at = 0;
        let mut now = sys::monotonic_nanos();
        for _ in 0..count {
            // A task that is claimed counts as begun, so that arguments which kill their decoder are not tried again.
            if self.skipping || !self.page.claim(now) {
                self.skipping = true;
                break;
            }
            let items = &self.reader.buffer.unread()[..length];
            let (size, prefix) = wire::length_at(&items[at..])
                .ok()
                .flatten()
                .ok_or(ErrorKind::InvalidData)?;
            let args = items
                .get(at + prefix..at + prefix + size)
                .ok_or(ErrorKind::InvalidData)?;
            at += prefix + size;
            let tag = run(entry, args, &mut self.payload);
            let end = sys::monotonic_nanos();
            self.page.add_busy(end - now);
            now = end;
            self.writer.record(tag, &self.payload, now)?;
            if now - self.writer.since > GATHER_NANOS || self.writer.unsent.len() > MAX_RECORD / 2 {
                self.writer.flush()?;
            }
        }
        self.reader.buffer.consume(length);
        Ok(())
    }
}
