//! Moves a program's input and outputs at the same time, until it ends or its time is up.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::process::status::ExitStatus;
use crate::sys::{self, PollFd};

/// After the program's end its outputs are read for so long. Only processes that it left behind, and that hold them open,
/// make a limit necessary.
const DRAIN: Duration = Duration::from_millis(200);

/// How much is moved at once.
const STEP: usize = 64 * 1024;

/// Whether the program ended in time, how it ended, and its two outputs.
type Ended = (bool, ExitStatus, Vec<u8>, Vec<u8>);

/// A program that runs, and what moves between it and us. It is killed and collected if this is dropped early.
pub(crate) struct Pump {
    child: Child,
    /// Tells the program's end: the outputs' end comes later when others hold them.
    pidfd: OwnedFd,
    stdin: Option<File>,
    input: Vec<u8>,
    written: usize,
    outputs: [(Option<File>, Vec<u8>); 2],
    collected: bool,
}

impl Pump {
    /// Runs a program that has been started, to its end.
    pub(crate) fn run(
        mut child: Child,
        input: Vec<u8>,
        deadline: Option<Instant>,
        on_output: &mut dyn FnMut(&mut Vec<u8>),
    ) -> io::Result<Ended> {
        let stdin = child
            .stdin
            .take()
            .map(|pipe| File::from(OwnedFd::from(pipe)));
        let stdout = child
            .stdout
            .take()
            .map(|pipe| File::from(OwnedFd::from(pipe)));
        let stderr = child
            .stderr
            .take()
            .map(|pipe| File::from(OwnedFd::from(pipe)));
        for pipe in [&stdin, &stdout, &stderr].into_iter().flatten() {
            sys::set_nonblocking(pipe.as_fd())?;
        }
        let pidfd = sys::pidfd_open(child.id()).inspect_err(|_| sys::discard(child.id()))?;
        let outputs = [(stdout, Vec::new()), (stderr, Vec::new())];
        let mut pump = Self {
            child,
            pidfd,
            stdin,
            input,
            written: 0,
            outputs,
            collected: false,
        };
        let in_time = pump.until_end(deadline, on_output)?;
        if !in_time {
            sys::kill_group(pump.child.id());
        }
        pump.until_closed(on_output)?;
        let status = pump.collect()?;
        let [(_, stdout), (_, stderr)] = std::mem::take(&mut pump.outputs);
        Ok((in_time, status, stdout, stderr))
    }

    /// Moves bytes until the program ends (true) or the time is up (false).
    fn until_end(
        &mut self,
        deadline: Option<Instant>,
        on_output: &mut dyn FnMut(&mut Vec<u8>),
    ) -> io::Result<bool> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut polled = vec![sys::as_poll(self.pidfd.as_fd(), true, false)];
            self.wait(&mut polled, left)?;
            self.transfer(on_output)?;
            if polled[0].revents != 0 {
                return Ok(true);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }

    /// Reads what the program has left in its outputs.
    fn until_closed(&mut self, on_output: &mut dyn FnMut(&mut Vec<u8>)) -> io::Result<()> {
        let deadline = Instant::now() + DRAIN;
        self.stdin = None;
        loop {
            self.transfer(on_output)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.outputs.iter().all(|(pipe, _)| pipe.is_none()) {
                return Ok(());
            }
            self.wait(&mut Vec::new(), Some(left))?;
        }
    }

    /// Waits until something can be moved, or what is `polled` already is ready.
    fn wait(&self, polled: &mut Vec<PollFd>, timeout: Option<Duration>) -> io::Result<()> {
        polled.extend(
            self.stdin
                .as_ref()
                .map(|pipe| sys::as_poll(pipe.as_fd(), false, true)),
        );
        let outputs = self.outputs.iter().filter_map(|(pipe, _)| pipe.as_ref());
        polled.extend(outputs.map(|pipe| sys::as_poll(pipe.as_fd(), true, false)));
        sys::poll(polled, timeout).map(drop)
    }

    /// Moves what can be moved now.
    fn transfer(&mut self, on_output: &mut dyn FnMut(&mut Vec<u8>)) -> io::Result<()> {
        if let Some(stdin) = &mut self.stdin {
            match write_some(stdin, &self.input[self.written..]) {
                // A program that closes its input wants no more of it.
                None => self.stdin = None,
                Some(count) => self.written += count,
            }
            if self.written == self.input.len() {
                self.stdin = None;
            }
        }
        for (index, (pipe, bytes)) in self.outputs.iter_mut().enumerate() {
            let Some(open) = pipe else { continue };
            if read_all(open, bytes)? {
                *pipe = None;
            }
            if index == 0 {
                on_output(bytes);
            }
        }
        Ok(())
    }

    fn collect(&mut self) -> io::Result<ExitStatus> {
        self.collected = true;
        let status = self.child.wait()?;
        Ok(ExitStatus::from_parts(status.code(), status.signal()))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        if !self.collected {
            sys::kill_group(self.child.id());
            let _ = self.collect();
        }
    }
}

/// Writes what a pipe takes now; `None` when nobody reads it.
fn write_some(mut pipe: &File, bytes: &[u8]) -> Option<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match pipe.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return None,
        }
    }
    Some(written)
}

/// Appends what is in a pipe now; true when all its writers have closed it.
fn read_all(mut pipe: &File, bytes: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let end = bytes.len();
        bytes.resize(end + STEP, 0);
        let read = pipe.read(&mut bytes[end..]);
        bytes.truncate(end + read.as_ref().map_or(0, |count| *count));
        match read {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
