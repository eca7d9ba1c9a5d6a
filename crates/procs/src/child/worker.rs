//! A child's loop: reads frames, runs tasks, sends records.

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

/// Longest time for which results of short tasks are collected before they are sent, in nanoseconds. While a longer task
/// runs, the parent reads the results before it from the journal.
const FLUSH_INTERVAL_NANOS: u64 = 30_000;

/// Largest number of short tasks between two readings of the clock.
const MAX_STRIDE: u32 = 16;

/// The stride grows while at most this time passes between two readings, in nanoseconds.
const SHORT_STRIDE_NANOS: u64 = 4_000;

/// The reading half of a child's socket.
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

    /// Whether at least `count` bytes are buffered.
    fn has(&self, count: usize) -> bool {
        self.buffer.unread().len() >= count
    }

    /// Blocks until at least `count` bytes are buffered.
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

/// Runs a task and writes its record's payload to `payload`.
///
/// A task may fork. It then returns here in the copy too. The copy exits, because only the original may send the record.
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

/// Sends one record without buffering.
pub(crate) fn send(mut stream: &UnixStream, tag: Tag, payload: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(payload.len() + MAX_HEAD);
    wire::put_record(&mut bytes, NO_JOB, tag, payload);
    stream.write_all(&bytes)
}

/// Writes a worker's records: each into the journal, which outlives the worker, and later several together into the socket.
struct ResultWriter<'a> {
    stream: &'a UnixStream,
    journal: &'a Journal,
    /// The end of the committed records, as a position of the stream.
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

/// A clock that is read once for several short tasks.
struct SampledClock {
    /// The newest reading, in nanoseconds.
    now: u64,
    /// Number of tasks since then.
    tasks: u32,
    /// Number of tasks between two readings.
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

    /// Restarts the measurement after a wait that does not count.
    fn restart(&mut self) {
        self.now = sys::monotonic_nanos();
        self.tasks = 0;
    }

    /// Counts a task. If the clock is read now, returns the time since the last reading, in nanoseconds.
    fn tick(&mut self) -> Option<u64> {
        self.tasks += 1;
        if self.tasks < self.stride {
            return None;
        }
        Some(self.read())
    }

    /// Reads the clock. Returns the time since the last reading, in nanoseconds.
    fn read(&mut self) -> u64 {
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
    /// Whether tasks are skipped: the parent has revoked them and REVOKE_ACK has not arrived.
    skipping: bool,
}

impl<'a> Worker<'a> {
    /// Makes a worker that has sent the two empty records `Ready` and `Initialized`.
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

    /// Waits for bytes. Sends all finished results before it blocks.
    fn await_bytes(&mut self, count: usize) -> io::Result<()> {
        if self.reader.has(count) {
            return Ok(());
        }
        if self.clock.tasks > 0 {
            let passed = self.clock.read();
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

    /// Runs the tasks of a TASKS frame.
    fn tasks(&mut self) -> io::Result<()> {
        self.await_bytes(frame::TASKS_HEADER - 1)?;
        let first = self.reader.u64()?;
        let id = self.reader.u64()?;
        let count = self.reader.u32()?;
        let length = self.reader.u64()? as usize;
        self.await_bytes(length)?;
        // Both builds have the same table of tasks, so an unknown id is a corrupt stream.
        let entry = crate::task::find(id).ok_or(ErrorKind::InvalidData)?;
        if first != self.next && !self.skipping {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut at = 0;
        for _ in 0..count {
            // The claim precedes the decoding, so that arguments which kill their decoder are not tried again.
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
            self.count_task()?;
        }
        self.reader.buffer.consume(length);
        Ok(())
    }

    /// Adds up the time in tasks. Sends the results that have waited for the flush interval.
    fn count_task(&mut self) -> io::Result<()> {
        if let Some(passed) = self.clock.tick() {
            self.journal.add_busy(passed);
            if self.clock.now - self.flushed > FLUSH_INTERVAL_NANOS {
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

/// Source file in which the standard library panics only to abort after another panic.
const ABORT_LOCATION: &str = "library/core/src/panicking.rs";

/// Whether a report of the panic hook is the cause of the task's failure. Panics of forked copies of the process are not,
/// nor is the panic with which the standard library aborts ("in a destructor during cleanup").
fn is_reason(panicked: &Panicked) -> bool {
    let location = panicked.location().unwrap_or_default();
    ORIGINAL.get().is_some_and(ForkMark::is_original) && !location.contains(ABORT_LOCATION)
}

/// Has the panic hook write the panics of tasks into the journal, in case this process aborts.
fn report_panics(journal: &'static Journal) {
    panic::report_early(move |panicked| {
        if is_reason(panicked) {
            journal.report(RUNNING.get(), &wire::encode_report(panicked, MAX_REPORT));
        }
    });
}

/// With `panic = "abort"`, has the panic hook send the record of a task that panics: no later code of this process runs.
/// Without it the task may catch the panic, and the hook sends nothing.
pub(crate) fn report_aborts(stream: &UnixStream) -> io::Result<()> {
    if cfg!(panic = "abort") {
        let stream = stream.try_clone()?;
        panic::report_early(move |panicked| {
            if is_reason(panicked) {
                // An error means that the parent has ended.
                let _ = send(&stream, Tag::Panicked, &wire::encode_panic(panicked));
            }
        });
    }
    Ok(())
}
