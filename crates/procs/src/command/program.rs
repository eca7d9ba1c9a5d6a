//! Starting a program, and its end.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::{CommandError, InvalidOption, SignalError, SystemError, check_variable};
use crate::host::fork_server;
use crate::process::descendants;
use crate::process::group::ProcessGroup;
use crate::process::status::ExitStatus;
use crate::sys::{self, Execution, FailedStep};

/// The folders that are searched without a `PATH`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// Maximum time between the kill of a program and its end. A program may be in a system call that cannot be interrupted.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A program and the attributes of its process.
#[derive(Clone, Debug)]
pub(super) struct ProgramOptions {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    /// Variables that differ from this process's.
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) group: ProcessGroup,
}

/// This process's ends of a program's standard streams.
pub(super) struct Pipes {
    /// `None`: the program's standard input is empty.
    pub(super) stdin: Option<PipeWriter>,
    pub(super) stdout: PipeReader,
    pub(super) stderr: PipeReader,
}

/// A program that was started. It is killed with its descendants, and collected, when this is dropped early.
pub(super) struct Program {
    pid: u32,
    pidfd: OwnedFd,
    collected: bool,
    /// This process may not signal it.
    goes_on: bool,
}

impl Program {
    /// Starts a program, with a pipe as its standard input if it has any.
    pub(super) fn start(
        options: &ProgramOptions,
        has_input: bool,
    ) -> Result<(Self, Pipes), CommandError> {
        let execution = execution(options)?;
        let pipe_error = || SystemError::new("make a pipe for a program");
        let (input, stdin) = if has_input {
            let (reader, writer) = sys::pipe().map_err(pipe_error())?;
            (OwnedFd::from(reader), Some(writer))
        } else {
            (sys::empty_input().map_err(pipe_error())?, None)
        };
        let (stdout, output) = sys::pipe().map_err(pipe_error())?;
        let (stderr, error) = sys::pipe().map_err(pipe_error())?;
        let streams = [input.as_fd(), output.as_fd(), error.as_fd()];
        let (pid, pidfd) = sys::start_program(&execution, streams)
            .map_err(|(step, source)| SystemError::new(describe(step, options))(source))?;
        let program = Self {
            pid,
            pidfd,
            collected: false,
            goes_on: false,
        };
        let pipes = Pipes {
            stdin,
            stdout,
            stderr,
        };
        Ok((program, pipes))
    }

    /// A descriptor that becomes readable when the program ends.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Returns whether the program has ended.
    pub(super) fn has_ended(&self) -> bool {
        sys::is_readable(self.as_fd())
    }

    /// Kills the program and everything that it has started.
    pub(super) fn kill_tree(&mut self) -> Result<(), SignalError> {
        let killed = descendants::stop_and_kill_tree(self.pid, self.as_fd());
        let own = |error: &SignalError| matches!(error, SignalError::NotPermitted { pid } if *pid == self.pid);
        self.goes_on = killed.as_ref().is_err_and(own);
        killed
    }

    /// Waits for the end of the program and returns its status: unknown if another part of this process has collected it,
    /// or if it does not end although it was killed, or cannot be killed.
    pub(super) fn collect(&mut self) -> ExitStatus {
        self.collected = true;
        let limit = if self.goes_on {
            Duration::ZERO
        } else {
            EXIT_TIMEOUT
        };
        let deadline = Instant::now() + limit;
        loop {
            match sys::reap(self.as_fd()) {
                Ok(Some((end, _))) => return ExitStatus::new(end),
                Ok(None) if Instant::now() < deadline => {
                    let mut polled = [sys::as_poll(self.as_fd(), true, false)];
                    let left = deadline.saturating_duration_since(Instant::now());
                    let _ = sys::poll(&mut polled, Some(left));
                }
                Ok(None) | Err(_) => return ExitStatus::UNKNOWN,
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.collected {
            // The caller gets the error or the panic that ended the run.
            let _ = self.kill_tree();
            self.collect();
        }
    }
}

/// Describes the failed step for an error's text.
fn describe(step: FailedStep, options: &ProgramOptions) -> String {
    let program = &options.program;
    match (step, &options.cwd) {
        (FailedStep::Process, _) => format!("make a process for the program {program:?}"),
        (FailedStep::Cwd, Some(cwd)) => {
            format!("enter the working directory {cwd:?} of the program {program:?}")
        }
        _ => format!("execute the program {program:?}"),
    }
}

/// Returns the options in the form that the system takes.
fn execution(options: &ProgramOptions) -> Result<Execution, InvalidOption> {
    let program = c_string(&options.program)
        .ok_or_else(|| InvalidOption::Program(options.program.clone()))?;
    let mut args = vec![program.clone()];
    for arg in &options.args {
        args.push(c_string(arg).ok_or_else(|| InvalidOption::Argument(arg.clone()))?);
    }
    let cwd = match &options.cwd {
        None => None,
        Some(cwd) => Some(
            c_string(cwd.as_os_str())
                .ok_or_else(|| InvalidOption::WorkingDirectory(cwd.clone()))?,
        ),
    };
    let env = environment(&options.env)?;
    let path = env
        .iter()
        .find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
    Ok(Execution {
        paths: sys::search_paths(&program, path.unwrap_or(DEFAULT_PATH)),
        args,
        env,
        cwd,
        own_group: options.group == ProcessGroup::Own,
        on_parent_death: fork_server::on_parent_death(),
    })
}

fn c_string(text: &OsStr) -> Option<CString> {
    CString::new(text.as_bytes()).ok()
}

/// Returns the environment of this process with changes, as `KEY=value`.
fn environment(changes: &[(OsString, OsString)]) -> Result<Vec<CString>, InvalidOption> {
    for (name, value) in changes {
        check_variable(name, Some(value))?;
    }
    let changed = |name: &OsStr| changes.iter().any(|(other, _)| other == name);
    let inherited = env::vars_os().filter(|(name, _)| !changed(name));
    // Of several changes of one variable the last counts.
    let last =
        |index: usize, name: &OsStr| changes[index + 1..].iter().all(|(other, _)| other != name);
    let changes = changes.iter().enumerate();
    let changes = changes.filter(|(index, (name, _))| last(*index, name));
    let changes = changes.map(|(_, (name, value))| (name.clone(), value.clone()));
    let entry = |(name, value): (OsString, OsString)| {
        let mut bytes = name.into_vec();
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
        CString::new(bytes).ok()
    };
    Ok(inherited.chain(changes).filter_map(entry).collect())
}
