//! A child's side: takes the set-up, runs tasks, sends records.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use std::sync::OnceLock;

use crate::child::panic;
use crate::sys::{self, ForkMark};
use crate::task::{CallError, Entry};
use crate::wire::journal::{Claim, Journal, MAX_RECORD, RING_SIZE};
use crate::wire::{self, EMPTY_RECORD, MAX_HEAD, NO_JOB, ReadBuffer, Tag, frame};

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

/// Tells the process that runs tasks from its copies.
static ORIGINAL: OnceLock<ForkMark> = OnceLock::new();

/// What a copy of a process that runs tasks exits with.
const COPY_CODE: i32 = 1;

/// Runs a task and leaves its record's payload in `payload`.
///
/// A task may duplicate its process. It returns here in the copy too, which must not answer in the original's place: the
/// copy exits.
pub(crate) fn run(entry: &Entry, args: &[u8], payload: &mut Vec<u8>) -> Tag {
    payload.clear();
    let original = ORIGINAL.get_or_init(ForkMark::new);
    let result = panic::catch(|| (entry.call)(args, payload));
    if !original.is_original() {
        sys::exit_now(COPY_CODE);
    }
    match result {
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
    let mut bytes = Vec::with_capacity(payload.len() + MAX_HEAD);
    wire::put_record(&mut bytes, NO_JOB, tag, payload);
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
    fn record(&mut self, job: u64, tag: Tag, payload: &[u8], now: u64) -> io::Result<()> {
        let size = payload.len() + MAX_HEAD;
        if self.unsent.len() + size > RING_SIZE || size > MAX_RECORD {
            self.flush()?;
        }
        if self.unsent.is_empty() {
            self.since = now;
        }
        let start = self.unsent.len();
        wire::put_record(&mut self.unsent, job, tag, payload);
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
    /// The number of the next task.
    next: u64,
    /// Frames are void until the parent acknowledges its revocation.
    skipping: bool,
}

impl<'a> Worker<'a> {
    /// A worker that has sent two empty records: it is ready, and initialized.
    pub(crate) fn new(reader: FrameReader, stream: &'a UnixStream, page: &'a Journal) -> Self {
        let position = 2 * EMPTY_RECORD as u64;
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
            next: page.next(),
            skipping: false,
        }
    }

    /// Serves frames until the parent says stop, or is gone.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        loop {
            self.await_bytes(1)?;
            match self.reader.array::<1>()?[0] {
                frame::TASKS => self.tasks()?,
                frame::REVOKE_ACK => {
                    self.skipping = false;
                    self.page.acknowledge_revocation();
                    self.writer
                        .record(NO_JOB, Tag::Resumed, &[], sys::monotonic_nanos())?;
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

    fn claim(&self, number: u64, now: u64) -> io::Result<Claim> {
        let claim = self.page.claim(number, now);
        claim.map_err(|wire::Corrupt| ErrorKind::InvalidData.into())
    }

    fn tasks(&mut self) -> io::Result<()> {
        self.await_bytes(frame::TASKS_HEADER - 1)?;
        let first = self.reader.u64()?;
        let id = self.reader.u64()?;
        let count = self.reader.u32()?;
        let length = self.reader.u64()? as usize;
        self.await_bytes(length)?;
        // The set-up agreed on the whole table, so an unknown id is a broken stream.
        let entry = crate::task::find(id).ok_or(ErrorKind::InvalidData)?;
        if first != self.next && !self.skipping {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut at = 0;
        let mut now = sys::monotonic_nanos();
        for _ in 0..count {
            // A task that is claimed counts as begun, so that arguments which kill their decoder are not tried again.
            let number = self.next;
            self.skipping = self.skipping || self.claim(number, now)? == Claim::Revoked;
            if self.skipping {
                break;
            }
            self.next += 1;
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
            self.writer.record(number, tag, &self.payload, now)?;
            if now - self.writer.since > GATHER_NANOS || self.writer.unsent.len() > MAX_RECORD / 2 {
                self.writer.flush()?;
            }
        }
        self.reader.buffer.consume(length);
        Ok(())
    }
}
