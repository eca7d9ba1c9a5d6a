//! Errors of the programs that [`command`](crate::command()) runs.

use std::error::Error;
use std::fmt;

use crate::command::output::Output;

use super::{InvalidOption, SignalError, SystemError};

/// Running a program failed, or the program did not end as required.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// An option cannot be represented by the system. The program was not started.
    Invalid(InvalidOption),
    /// A system call failed. The text names the program, and the working directory if that is the cause.
    System(SystemError),
    /// The program did not end within its [`timeout`](crate::Command::timeout) and was killed. Holds what it wrote until
    /// then.
    TimedOut(Box<Output>),
    /// The program exceeded its [`output_limit`](crate::Command::output_limit) and was killed. Holds what it wrote up to
    /// the limit.
    OutputLimit(Box<Output>),
    /// The program exceeded a limit, and it or a process that it has started could not be killed: it goes on.
    #[non_exhaustive]
    NotKilled {
        /// The reason for which the signal was refused.
        error: SignalError,
        /// The output of the program until then.
        output: Box<Output>,
    },
    /// The program exited with a code other than 0, or was killed by a signal.
    Failed(Box<Output>),
}

impl CommandError {
    /// Returns the output and the exit status of the program, if it was started.
    pub fn output(&self) -> Option<&Output> {
        match self {
            Self::TimedOut(output) | Self::OutputLimit(output) | Self::Failed(output) => {
                Some(output)
            }
            Self::NotKilled { output, .. } => Some(output),
            Self::Invalid(_) | Self::System(_) => None,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
            Self::TimedOut(output) => write!(
                f,
                "the program exceeded its time limit and was killed{}",
                LastLines(output)
            ),
            Self::OutputLimit(output) => write!(
                f,
                "the program exceeded its output limit and was killed{}",
                LastLines(output)
            ),
            Self::NotKilled { error, output } => write!(
                f,
                "the program exceeded a limit and goes on: {error}{}",
                LastLines(output)
            ),
            Self::Failed(output) => write!(
                f,
                "the program failed: {}{}",
                output.status(),
                LastLines(output)
            ),
        }
    }
}

/// The last three lines of a program's standard error.
struct LastLines<'a>(&'a Output);

impl fmt::Display for LastLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0.stderr());
        let mut lines: Vec<_> = text.lines().rev().take(3).collect();
        lines.reverse();
        if lines.is_empty() {
            return Ok(());
        }
        write!(f, "; standard error: {}", lines.join(" / "))
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => error.source(),
            Self::Invalid(error) => error.source(),
            Self::NotKilled { error, .. } => error.source(),
            Self::TimedOut(_) | Self::OutputLimit(_) | Self::Failed(_) => None,
        }
    }
}

impl From<SystemError> for CommandError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}

impl From<InvalidOption> for CommandError {
    fn from(error: InvalidOption) -> Self {
        Self::Invalid(error)
    }
}
