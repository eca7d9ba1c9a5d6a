//! A child's side of the wire: reads frames, runs tasks, sends records.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use crate::child::panic;
use crate::error::Panicked;
use crate::sys::{self, ForkMark};
use crate::task::{CallError, Entry};
use crate::wire::journal::{Claim, Journal, MAX_RECORD, MAX_REPORT, RING_SIZE, TaskTimer};
use crate::wire::{self, EMPTY_RECORD, MAX_HEAD, NO_JOB, ReadBuffer, Tag, frame};

/// Results of short tasks are sent together. None waits longer than this, unless the next task takes longer: then the
/// parent finds them in the journal.
const GATHER_NANOS: u64 = 30_000;

/// While tasks are short, the clock is read once in at most this many of them.
const MAX_STRIDE: u32 = 16;

/// The clock is read less often while this passes between two looks at most.
const SHORT_STRIDE_NANOS: u64 = 4_000;

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

    /// Blocks until this many bytes are here.
    ///
    /// # Errors
    ///
    /// When the parent has closed its end.
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

/// Distinguishes the process that runs tasks from its forked copies.
static ORIGINAL: OnceLock<ForkMark> = OnceLock::new();

/// Exit code of a forked copy of a process that runs tasks.
const COPY_CODE: i32 = 1;

/// Runs a task and leaves its record's payload in `payload`.
///
/// A task may duplicate its process. It returns here in the copy too, which must not answer in the original's place: the
/// copy exits.
pub(crate) fn run(entry: &Entry, args: &[u8], payload: &mut Vec<u8>) -> Tag {
    run_timed(entry, args, payload, TaskTimer::OFF)
}

fn run_timed(entry: &Entry, args: &[u8], payload: &mut Vec<u8>, timer: TaskTimer<'_>) -> Tag {
    payload.clear();
    let original = ORIGINAL.get_or_init(ForkMark::new);
    let result = panic::catch(|| (entry.call)(args, payload, timer));
    if !original.is_original() {
        sys::exit_now(COPY_CODE);
    }
    if result.is_err() {
        // The function did not return.
        timer.end();
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

/// Writes a worker's records: first into the journal, where they outlive the worker, then in batches into the socket.
struct ResultWriter<'a> {
    stream: &'a UnixStream,
    journal: &'a Journal,
    /// The end of what is committed.
    position: u64,
    /// The records that are committed but not sent.
    unsent: Vec<u8>,
}

impl ResultWriter<'_> {
    fn record(&mut self, job: u64, tag: Tag, payload: &[u8]) -> io::Result<()> {
        let size = payload.len() + MAX_HEAD;
        if self.unsent.len() + size > RING_SIZE || size > MAX_RECORD {
            self.flush()?;
        }
        let start = self.unsent.len();
        wire::put_record(&mut self.unsent, job, tag, payload);
        let added = &self.unsent[start..];
        let end = self.position + added.len() as u64;
        if size <= MAX_RECORD {
            self.journal.write(self.position, added);
            self.journal.publish(end);
            self.position = end;
            return Ok(());
        }
        self.position = end;
        self.flush()?;
        self.journal.publish_bypass(end);
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

/// Reads the clock once for several short tasks.
struct SampledClock {
    /// The newest look at the clock.
    now: u64,
    /// Tasks since then.
    tasks: u32,
    /// Tasks between two looks.
    stride: u32,
}

impl SampledClock {
    fn new() -> Self {
        Self {
            now: sys::monotonic_nanos(),
            tasks: 0,
            stride: 1,
        }
    }

    /// Begins to measure after a pause.
    fn restart(&mut self) {
        self.now = sys::monotonic_nanos();
        self.tasks = 0;
    }

    /// Counts a task. Returns the time since the last look, in nanoseconds, if it looks now.
    fn tick(&mut self) -> Option<u64> {
        self.tasks += 1;
        if self.tasks < self.stride {
            return None;
        }
        Some(self.look())
    }

    fn look(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.now, sys::monotonic_nanos());
        let passed = self.now.saturating_sub(before);
        self.stride = if passed > SHORT_STRIDE_NANOS {
            1
        } else {
            (2 * self.stride).min(MAX_STRIDE)
        };
        self.tasks = 0;
        passed
    }
}

/// A pool's worker.
pub(crate) struct Worker<'a> {
    reader: FrameReader,
    writer: ResultWriter<'a>,
    journal: &'static Journal,
    clock: SampledClock,
    /// When results were last sent, in nanoseconds of the monotonic clock.
    flushed: u64,
    payload: Vec<u8>,
    /// The number of the next task.
    next: u64,
    /// Whether tasks are skipped: the parent has revoked them, and REVOKE_ACK has not arrived.
    skipping: bool,
}

impl<'a> Worker<'a> {
    /// A worker that has sent two empty records: it is ready, and initialized.
    pub(crate) fn new(
        reader: FrameReader,
        stream: &'a UnixStream,
        journal: &'static Journal,
    ) -> Self {
        let position = 2 * EMPTY_RECORD as u64;
        let writer = ResultWriter {
            stream,
            journal,
            position,
            unsent: Vec::new(),
        };
        journal.publish(position);
        report_panics(journal);
        Self {
            reader,
            writer,
            journal,
            clock: SampledClock::new(),
            flushed: 0,
            payload: Vec::new(),
            next: journal.next(),
            skipping: false,
        }
    }

    /// Serves frames until STOP, or until the parent closes its end.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        loop {
            self.await_bytes(1)?;
            match self.reader.array::<1>()?[0] {
                frame::TASKS => self.tasks()?,
                frame::REVOKE_ACK => {
                    self.skipping = false;
                    self.journal.acknowledge_revocation();
                    self.writer.record(NO_JOB, Tag::Resumed, &[])?;
                }
                frame::STOP => return self.writer.flush(),
                _ => return Err(ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Waits for bytes. Before it sleeps it sends the results that it has.
    fn await_bytes(&mut self, count: usize) -> io::Result<()> {
        if self.reader.has(count) {
            return Ok(());
        }
        if self.clock.tasks > 0 {
            let passed = self.clock.look();
            self.journal.add_busy(passed);
        }
        self.writer.flush()?;
        self.reader.need(count)?;
        self.clock.restart();
        self.flushed = self.clock.now;
        Ok(())
    }

    fn claim(&self, number: u64) -> io::Result<Claim> {
        let claim = self.journal.claim(number);
        claim.map_err(|wire::Corrupt| ErrorKind::InvalidData.into())
    }

    fn tasks(&mut self) -> io::Result<()> {
        self.await_bytes(frame::TASKS_HEADER - 1)?;
        let first = self.reader.u64()?;
        let id = self.reader.u64()?;
        let count = self.reader.u32()?;
        let length = self.reader.u64()? as usize;
        self.await_bytes(length)?;
        // The handshake agreed on the whole table, so an unknown id is a corrupt stream.
        let entry = crate::task::find(id).ok_or(ErrorKind::InvalidData)?;
        if first != self.next && !self.skipping {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut at = 0;
        for _ in 0..count {
            // A task that is claimed counts as begun, so that arguments which kill their decoder are not tried again.
            self.skipping = self.skipping || self.claim(self.next)? == Claim::Revoked;
            if self.skipping {
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
            RUNNING.set(self.next);
            let tag = run_timed(entry, args, &mut self.payload, self.journal.timer());
            self.writer.record(self.next, tag, &self.payload)?;
            self.next += 1;
            self.note_time()?;
        }
        self.reader.buffer.consume(length);
        Ok(())
    }

    /// Adds up the time in tasks, and sends results that have waited long enough.
    fn note_time(&mut self) -> io::Result<()> {
        if let Some(passed) = self.clock.tick() {
            self.journal.add_busy(passed);
            if self.clock.now - self.flushed > GATHER_NANOS {
                self.flushed = self.clock.now;
                return self.writer.flush();
            }
        }
        if self.writer.unsent.len() > MAX_RECORD / 2 {
            self.writer.flush()?;
        }
        Ok(())
    }
}

thread_local! {
    /// The number of the task that this worker runs.
    static RUNNING: Cell<u64> = const { Cell::new(NO_JOB) };
}

/// Where the standard library panics only to abort after another panic.
const ABORT_PLACE: &str = "library/core/src/panicking.rs";

/// Whether a report of the panic hook is the cause of the task's failure. Panics of forked copies of the process are not, nor
/// is the panic with which the standard library aborts ("in a destructor during cleanup").
fn is_reason(panicked: &Panicked) -> bool {
    let place = panicked.location().unwrap_or_default();
    ORIGINAL.get().is_some_and(ForkMark::is_original) && !place.contains(ABORT_PLACE)
}

/// Writes the panics of tasks into the journal at once, in case that this process aborts.
fn report_panics(journal: &'static Journal) {
    panic::report_early(move |panicked| {
        if is_reason(panicked) {
            journal.report(RUNNING.get(), &wire::encode_report(panicked, MAX_REPORT));
        }
    });
}

/// With `panic = "abort"`: sends the record of a task that panics inside the panic hook, because nothing of this process
/// runs after it. Otherwise the task may catch the panic, and nothing is sent.
pub(crate) fn report_aborts(stream: &UnixStream) -> io::Result<()> {
    if cfg!(panic = "abort") {
        let stream = stream.try_clone()?;
        panic::report_early(move |panicked| {
            if is_reason(panicked) {
                // A parent that has gone needs no reason.
                let _ = send(&stream, Tag::Panicked, &wire::encode_panic(panicked));
            }
        });
    }
    Ok(())
}
