//! Run another program: give it input, read its output, do not wait for ever.

mod pump;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::command::pump::Pump;
use crate::error::{CommandError, SystemError};
use crate::process::status::ExitStatus;

/// A program to run. It is not started yet.
///
/// ```
/// let output = procs::command("sort").input("pear\napple\n").run().unwrap();
/// assert_eq!(output.text(), "apple\npear\n");
/// assert_eq!(output.status().code(), Some(0));
/// ```
pub fn command(program: impl AsRef<OsStr>) -> Command {
    Command {
        inner: std::process::Command::new(program),
        input: Vec::new(),
        timeout: None,
    }
}

/// A program to run, its arguments and options. Made by [`command`].
///
/// The program gets a process group of its own, so that it can be killed together with what it starts, and its standard
/// input is what [`input`](Self::input) says: nothing, if it is not called.
#[derive(Debug)]
pub struct Command {
    inner: std::process::Command,
    input: Vec<u8>,
    timeout: Option<Duration>,
}

impl Command {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.inner.arg(arg);
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.inner.args(args);
        self
    }

    /// Sets a variable in the program's environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(key, value);
        self
    }

    /// The program's working directory.
    #[must_use]
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.inner.current_dir(directory);
        self
    }

    /// What the program reads from its standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Kills the program, and whatever it has started in its process group, when it runs longer than this.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Runs the program to its end, and returns its exit status and all that it wrote.
    ///
    /// Input and both outputs move at the same time, so that neither side waits for the other for ever. A program that
    /// does not read all of its input is not an error. Processes that it leaves behind go on; what they write later than
    /// 0.2 seconds after its end is not waited for.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or it was killed because its time was up: what it wrote until then is in the error.
    pub fn run(self) -> Result<Output, CommandError> {
        self.run_with(|_| {})
    }

    /// As [`run`](Self::run), but hands over each line of the standard output as it comes, without its end; the output
    /// that is returned has only the standard error.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// ```
    /// let mut lines = Vec::new();
    /// procs::command("printf").arg("one\\ntwo").run_lines(|line| lines.push(line.to_owned())).unwrap();
    /// assert_eq!(lines, ["one", "two"]);
    /// ```
    pub fn run_lines(self, mut each: impl FnMut(&str)) -> Result<Output, CommandError> {
        let mut result = self.run_with(|bytes| {
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                each(&String::from_utf8_lossy(&bytes[..end]));
                bytes.drain(..=end);
            }
        });
        let output = match &mut result {
            Ok(output) => output,
            Err(CommandError::TimedOut(output) | CommandError::Failed(output)) => output,
            Err(CommandError::System(_)) => return result,
        };
        // The last line may have no end.
        let rest = std::mem::take(&mut output.stdout);
        if !rest.is_empty() {
            each(&String::from_utf8_lossy(&rest));
        }
        result
    }

    /// Runs the program; `on_output` sees its standard output so far whenever there is more, and may take of it.
    fn run_with(mut self, mut on_output: impl FnMut(&mut Vec<u8>)) -> Result<Output, CommandError> {
        let stdin = if self.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        self.inner
            .process_group(0)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = self
            .inner
            .spawn()
            .map_err(SystemError::new("start a program"))?;
        let deadline = self
            .timeout
            .and_then(|time| Instant::now().checked_add(time));
        let failed = SystemError::new("talk to a program");
        let (in_time, status, stdout, stderr) =
            Pump::run(child, self.input, deadline, &mut on_output).map_err(failed)?;
        let output = Output {
            status,
            stdout,
            stderr,
        };
        if in_time {
            Ok(output)
        } else {
            Err(CommandError::TimedOut(Box::new(output)))
        }
    }
}

/// What a program wrote, and how it ended.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    /// How the program ended.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// What it wrote to its standard output.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// What it wrote to its standard error.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Its standard output as text; what is not UTF-8 is replaced by a mark.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The lines of its standard output, as text.
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// The output itself, if the program exited with 0.
    ///
    /// # Errors
    ///
    /// [`CommandError::Failed`] otherwise; its text has the last lines of the standard error.
    ///
    /// ```
    /// let error = procs::command("sh").args(["-c", "echo broken >&2; exit 3"]).run().unwrap().check().unwrap_err();
    /// assert!(error.to_string().contains("code 3") && error.to_string().contains("broken"));
    /// ```
    pub fn check(self) -> Result<Self, CommandError> {
        if self.status.success() {
            Ok(self)
        } else {
            Err(CommandError::Failed(Box::new(self)))
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("status", &self.status)
            .field("stdout", &String::from_utf8_lossy(&self.stdout))
            .field("stderr", &String::from_utf8_lossy(&self.stderr))
            .finish()
    }
}
