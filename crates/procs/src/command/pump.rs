//! The standard streams of a program, served until it ends.
//!
//! A program's streams are served in turns. A turn writes at most [`STEP`] bytes of input and reads at most as many of each
//! output, and the deadline is checked in each: a program that never stops writing cannot postpone it.
//!
//! | state | event | action | next state |
//! |---|---|---|---|
//! | `Running` | the program ends | its input is closed | `Draining(Exited)` |
//! | `Running` | an output exceeds the limit | its tree is killed | `Draining(OutputLimit)` |
//! | `Running` | the deadline passes | its tree is killed | `Draining(TimedOut)` |
//! | `Draining(Exited)` | an output exceeds the limit | | `Draining(OutputLimit)` |
//! | `Draining(_)` | both outputs are closed, or [`DRAIN`] has passed and what was in them is read | the program is collected | end |

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::command::lines::LineSplitter;
use crate::command::output::Output;
use crate::command::program::{Pipes, Program};
use crate::error::SignalError;
use crate::sys::{self, PollFd};

/// Maximum time for which the outputs are read after the program's end. Only processes that it left behind, and that hold
/// the outputs open, make a limit necessary.
const DRAIN: Duration = Duration::from_millis(200);

/// Maximum number of bytes that are moved at once.
const STEP: usize = 64 * 1024;

/// Reason for which the run of a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, or by a signal that this process did not send.
    Exited,
    TimedOut,
    OutputLimit,
}

/// See the table of this module.
enum State {
    Running,
    Draining { end: End, until: Instant },
}

/// Limits of a run.
pub(super) struct Bounds {
    pub(super) deadline: Option<Instant>,
    /// Maximum number of bytes that are held of one output.
    pub(super) output: usize,
}

/// A program that runs, and the bytes on their way to it and from it.
pub(super) struct Pump<'a> {
    program: Program,
    bounds: Bounds,
    state: State,
    /// The error for which its tree, or a part of it, was not killed.
    not_killed: Option<SignalError>,
    input: Input,
    outputs: [Captured; 2],
    lines: Option<LineSplitter<'a>>,
    buffer: Vec<u8>,
}

impl<'a> Pump<'a> {
    /// Serves a program that was started, until its end. Complete lines of its standard output go to `lines`.
    ///
    /// The program is killed and collected if this fails or panics. Also returns why a program that was to be killed goes on.
    pub(super) fn run(
        program: Program,
        pipes: Pipes,
        input: Vec<u8>,
        bounds: Bounds,
        lines: Option<LineSplitter<'a>>,
    ) -> io::Result<(End, Output, Option<SignalError>)> {
        let mut pump = Self {
            program,
            bounds,
            state: State::Running,
            not_killed: None,
            input: Input {
                pipe: pipes.stdin,
                bytes: input,
                written: 0,
            },
            outputs: [pipes.stdout, pipes.stderr].map(Captured::new),
            lines,
            buffer: vec![0; STEP],
        };
        pump.set_nonblocking()?;
        let end = loop {
            if let Some(end) = pump.turn()? {
                break end;
            }
        };
        let not_killed = pump.not_killed.take();
        Ok((end, pump.finish(end), not_killed))
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        if let Some(pipe) = &self.input.pipe {
            sys::set_nonblocking(pipe.as_fd())?;
        }
        for pipe in self
            .outputs
            .iter()
            .filter_map(|output| output.pipe.as_ref())
        {
            sys::set_nonblocking(pipe.as_fd())?;
        }
        Ok(())
    }

    /// Waits until something can be moved, and moves one step of it. Returns the end once there is nothing more to do.
    fn turn(&mut self) -> io::Result<Option<End>> {
        let has_ended = self.wait()?;
        self.input.write_step();
        for output in &mut self.outputs {
            output.read_step(&mut self.buffer)?;
        }
        self.hand_over_lines();
        Ok(self.advance(has_ended))
    }

    /// Waits for a stream, the program's end or the next deadline. Returns whether the program has ended.
    fn wait(&self) -> io::Result<bool> {
        let deadline = match &self.state {
            State::Running => self.bounds.deadline,
            State::Draining { until, .. } => Some(*until),
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut polled: Vec<PollFd> = Vec::with_capacity(4);
        if matches!(self.state, State::Running) {
            polled.push(sys::as_poll(self.program.as_fd(), true, false));
        }
        let outputs = self
            .outputs
            .iter()
            .filter_map(|output| output.pipe.as_ref());
        polled.extend(outputs.map(|pipe| sys::as_poll(pipe.as_fd(), true, false)));
        let input = self.input.pipe.as_ref();
        polled.extend(input.map(|pipe| sys::as_poll(pipe.as_fd(), false, true)));
        sys::poll(&mut polled, left)?;
        Ok(matches!(self.state, State::Running) && polled[0].revents != 0)
    }

    /// Passes the complete lines to the closure. The deadline applies to the program only: it is not checked after its end.
    fn hand_over_lines(&mut self) {
        let Some(lines) = &mut self.lines else { return };
        let (program, deadline) = (&self.program, self.bounds.deadline);
        let bytes = &mut self.outputs[0].bytes;
        match &self.state {
            State::Running => lines.take_lines(bytes, || {
                deadline.is_none_or(|deadline| Instant::now() < deadline) || program.has_ended()
            }),
            State::Draining {
                end: End::Exited, ..
            } => lines.take_lines(bytes, || true),
            State::Draining { .. } => {}
        }
    }

    /// Moves to the next state. Returns the end once everything is read.
    fn advance(&mut self, has_ended: bool) -> Option<End> {
        let mut over = false;
        for output in &mut self.outputs {
            over |= output.cut_to(self.bounds.output);
        }
        let now = Instant::now();
        match &mut self.state {
            State::Running => {
                let is_late = self.bounds.deadline.is_some_and(|deadline| deadline <= now);
                // It may have ended since, while lines were handed over.
                let has_ended = has_ended || (is_late && self.program.has_ended());
                let end = match (over, has_ended) {
                    (true, _) => End::OutputLimit,
                    (false, true) => End::Exited,
                    (false, false) if is_late => End::TimedOut,
                    (false, false) => return None,
                };
                if !has_ended {
                    self.not_killed = self.program.kill_tree().err();
                }
                self.drain(end, now);
            }
            State::Draining { end, .. } if over => *end = End::OutputLimit,
            State::Draining { .. } => {}
        }
        if over {
            // Not before the kill: a program that writes into a closed pipe is ended by SIGPIPE.
            self.close_full_outputs();
        }
        self.drained(now)
    }

    /// Closes the outputs of which nothing more is wanted.
    fn close_full_outputs(&mut self) {
        let limit = self.bounds.output;
        for output in &mut self.outputs {
            if output.bytes.len() >= limit {
                output.pipe = None;
                output.owed = 0;
            }
        }
    }

    /// Returns the end, once both outputs are closed, or the time to read them is over and nothing of the program's is
    /// left there.
    fn drained(&self, now: Instant) -> Option<End> {
        let State::Draining { end, until } = &self.state else {
            return None;
        };
        let is_read =
            |output: &Captured| output.pipe.is_none() || (*until <= now && output.owed == 0);
        self.outputs.iter().all(is_read).then_some(*end)
    }

    /// Begins to read what is left in the outputs.
    fn drain(&mut self, end: End, now: Instant) {
        self.input.pipe = None;
        for output in &mut self.outputs {
            output.owed = match &output.pipe {
                Some(pipe) => sys::readable_bytes(pipe.as_fd()),
                None => 0,
            };
        }
        self.state = State::Draining {
            end,
            until: now + DRAIN,
        };
    }

    /// Collects the program and passes on the last line, which has no line break.
    fn finish(mut self, end: End) -> Output {
        let status = self.program.collect();
        if let (Some(lines), End::Exited) = (&mut self.lines, end) {
            lines.take_rest(&mut self.outputs[0].bytes);
        }
        let [stdout, stderr] = self.outputs;
        Output {
            status,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
        }
    }
}

/// A program's standard input.
struct Input {
    /// `None` once all is written, or the program does not read any more.
    pipe: Option<PipeWriter>,
    bytes: Vec<u8>,
    written: usize,
}

impl Input {
    /// Writes what the pipe takes, at most [`STEP`] bytes.
    fn write_step(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let left = &self.bytes[self.written..];
        match sys::write_without_sigpipe(pipe.as_fd(), &left[..left.len().min(STEP)]) {
            Ok(count) => self.written += count,
            Err(error) if is_temporary(&error) => {}
            // A program that closes its input does not want the rest.
            Err(_) => self.pipe = None,
        }
        if self.written == self.bytes.len() {
            self.pipe = None;
        }
    }
}

/// One of a program's outputs.
struct Captured {
    /// `None` once all its writers have closed it.
    pipe: Option<PipeReader>,
    bytes: Vec<u8>,
    /// The number of bytes that were in the pipe when the program ended, and are not read yet.
    owed: usize,
}

impl Captured {
    fn new(pipe: PipeReader) -> Self {
        Self {
            pipe: Some(pipe),
            bytes: Vec::new(),
            owed: 0,
        }
    }

    /// Reads what the pipe holds, at most [`STEP`] bytes.
    fn read_step(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        match pipe.read(buffer) {
            Ok(0) => {
                self.pipe = None;
                self.owed = 0;
            }
            Ok(count) => {
                self.bytes.extend_from_slice(&buffer[..count]);
                self.owed = self.owed.saturating_sub(count);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.owed = 0,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Returns whether more than `limit` bytes are held, and if so cuts them to the limit.
    fn cut_to(&mut self, limit: usize) -> bool {
        let is_over = self.bytes.len() > limit;
        if is_over {
            self.bytes.truncate(limit);
            self.owed = 0;
        }
        is_over
    }
}

/// Returns whether the same call may succeed later.
fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
