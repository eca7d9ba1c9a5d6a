//! Programs: input, output, limits of time and output, exit status.

mod lines;
pub(crate) mod output;
mod program;
mod pump;

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::command::lines::LineSplitter;
use crate::command::output::Output;
use crate::command::program::{Program, ProgramOptions};
use crate::command::pump::{Bounds, End, Pump};
use crate::error::{CommandError, SystemError};
use crate::process::group::ProcessGroup;

/// Returns a [`Command`] that runs a program. The program is not started yet.
///
/// A name without a slash is looked up in the folders of `PATH`: in the `PATH` that the program gets, if
/// [`env`](Command::env) sets one.
///
/// ```
/// let output = procs::command("sort").input("pear\napple\n").run().unwrap();
/// assert_eq!(output.text(), "apple\npear\n");
/// assert_eq!(output.status().code(), Some(0));
/// ```
#[doc(alias = "subprocess")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    Command {
        options: ProgramOptions {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            group: ProcessGroup::default(),
        },
        input: Vec::new(),
        timeout: None,
        output_limit: usize::MAX,
    }
}

/// A program to run, its arguments and options. Made by [`command`].
///
/// The program gets:
///
/// - the environment and the working directory of this process, with the changes made here;
/// - an empty standard input, unless [`input`](Self::input) is called; both outputs are captured;
/// - no other descriptor, whether it is close-on-exec or not;
/// - no blocked signals, and the default disposition of SIGPIPE and SIGXFSZ;
/// - a [process group](ProcessGroup) of its own, unless [`process_group`](Self::process_group) says otherwise.
///
/// # End
///
/// The program and everything that it has started, in whatever process group or session, are killed when the program
/// exceeds its [`timeout`](Self::timeout) or its [`output_limit`](Self::output_limit), and when a closure given to
/// [`run_lines`](Self::run_lines) panics. The program is also killed when this process ends while it runs, by SIGKILL
/// included. The exception is a program that the kernel runs with other privileges (set-user-ID), which
/// cannot be killed by this process.
///
/// Processes that a program leaves behind when it ends by itself go on.
#[derive(Clone, Debug)]
#[must_use = "a command does nothing until `run` or `run_lines` is called"]
#[doc(alias = "subprocess")]
#[doc(alias = "Popen")]
pub struct Command {
    options: ProgramOptions,
    input: Vec<u8>,
    timeout: Option<Duration>,
    output_limit: usize,
}

impl Command {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.options.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.options.args.extend(args);
        self
    }

    /// Sets an environment variable of the program.
    ///
    /// A name that is empty or contains `=` or a NUL byte makes [`run`](Self::run) fail with
    /// [`CommandError::Invalid`].
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.options.env.push(variable);
        self
    }

    /// Sets the working directory of the program. A relative program path with a slash is resolved against it.
    #[doc(alias = "current_dir")]
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.options.cwd = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets the bytes that the program reads from its standard input. Default: none.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Limits the time that the program runs, from its start to its end. Default: no limit.
    ///
    /// A program that exceeds it is killed with everything that it has started, and the run ends with
    /// [`CommandError::TimedOut`]. A closure of [`run_lines`](Self::run_lines) that takes longer does not count, if the
    /// program has ended by then; nor is it interrupted.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let error = procs::command("yes").timeout(Duration::from_millis(50)).run_lines(|_| ()).unwrap_err();
    /// assert!(matches!(error, procs::CommandError::TimedOut(_)));
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Limits the number of bytes that are held of each output, standard output and standard error. Default: no limit,
    /// so that a program can fill this process's memory.
    ///
    /// A program that exceeds it is killed with everything that it has started, and the run ends with
    /// [`CommandError::OutputLimit`]. Lines that [`run_lines`](Self::run_lines) has handed over are not held any more: there
    /// the limit is one of the length of a line.
    ///
    /// ```
    /// let error = procs::command("yes").output_limit(10_000).run().unwrap_err();
    /// let procs::CommandError::OutputLimit(output) = error else { panic!("{error}") };
    /// assert_eq!(output.stdout().len(), 10_000);
    /// ```
    #[doc(alias = "maxBuffer")]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Sets the process group of the program. Default: [`ProcessGroup::Own`], so that ctrl-c in a terminal does not reach
    /// the program.
    ///
    /// ```
    /// use procs::ProcessGroup;
    ///
    /// let group = |group| {
    ///     let command = procs::command("sh").args(["-c", "ps -o pgid= -p $$ || cut -d' ' -f5 /proc/$$/stat"]);
    ///     command.process_group(group).run().unwrap().text()
    /// };
    /// assert_ne!(group(ProcessGroup::Own), group(ProcessGroup::Inherit));
    /// ```
    #[doc(alias = "setpgid")]
    pub fn process_group(mut self, group: ProcessGroup) -> Self {
        self.options.group = group;
        self
    }

    /// Runs the program to its end. Returns its exit status and everything that it wrote.
    ///
    /// Blocks until the program has ended. Input and both outputs move at the same time, so that neither side waits for the
    /// other. A program that does not read all of its input is not an error. Neither is one that fails: see
    /// [`Output::check`]. Output that processes left behind write later than 0.2 seconds after the program's end is not
    /// waited for.
    ///
    /// The exit status is unknown ([`code`](crate::ExitStatus::code) and [`signal`](crate::ExitStatus::signal) are `None`)
    /// if another part of this process collects all children, or ignores SIGCHLD.
    ///
    /// # Errors
    ///
    /// - [`CommandError::Invalid`]: an option contains what the system cannot represent;
    /// - [`CommandError::System`]: the program cannot be started, or a pipe fails;
    /// - [`CommandError::TimedOut`], [`CommandError::OutputLimit`]: it exceeded a limit. The error holds its output;
    /// - [`CommandError::NotKilled`]: it exceeded a limit, and this process may not kill it.
    pub fn run(self) -> Result<Output, CommandError> {
        self.run_with(None)
    }

    /// Runs the program as [`run`](Self::run) does, and calls `each` with every line of its standard output as it arrives,
    /// without its `\n` or `\r\n`. The returned output holds the standard error only.
    ///
    /// Bytes that are not UTF-8 become U+FFFD. If `each` panics, the program is killed with everything that it has started.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). The output inside the error holds what was read but not handed over.
    ///
    /// ```
    /// let mut lines = Vec::new();
    /// let output = procs::command("printf").arg("one\\ntwo").run_lines(|line| lines.push(line.to_owned())).unwrap();
    /// assert_eq!(lines, ["one", "two"]);
    /// assert_eq!(output.stdout(), b"");
    /// ```
    pub fn run_lines(self, mut each: impl FnMut(&str)) -> Result<Output, CommandError> {
        self.run_with(Some(LineSplitter::new(&mut each)))
    }

    fn run_with(self, lines: Option<LineSplitter<'_>>) -> Result<Output, CommandError> {
        let bounds = Bounds {
            deadline: self
                .timeout
                .and_then(|time| Instant::now().checked_add(time)),
            output: self.output_limit,
        };
        let (program, pipes) = Program::start(&self.options, !self.input.is_empty())?;
        let (end, output, not_killed) = Pump::run(program, pipes, self.input, bounds, lines)
            .map_err(|error| {
                let doing = format!("move the output of the program {:?}", self.options.program);
                SystemError::new(doing)(error)
            })?;
        if let Some(error) = not_killed {
            let output = Box::new(output);
            return Err(CommandError::NotKilled { error, output });
        }
        match end {
            End::Exited => Ok(output),
            End::TimedOut => Err(CommandError::TimedOut(Box::new(output))),
            End::OutputLimit => Err(CommandError::OutputLimit(Box::new(output))),
        }
    }
}

impl Output {
    /// Returns the output itself if the program exited with code 0.
    ///
    /// # Errors
    ///
    /// [`CommandError::Failed`] otherwise. Its text has the last three lines of the standard error.
    ///
    /// ```
    /// let error = procs::command("sh").args(["-c", "echo broken >&2; exit 3"]).run().unwrap().check().unwrap_err();
    /// assert!(error.to_string().contains("code 3") && error.to_string().contains("broken"));
    /// ```
    #[doc(alias = "check_returncode")]
    pub fn check(self) -> Result<Self, CommandError> {
        if self.status().success() {
            Ok(self)
        } else {
            Err(CommandError::Failed(Box::new(self)))
        }
    }
}
