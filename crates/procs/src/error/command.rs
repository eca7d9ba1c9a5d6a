//! Programs that do not end well.

use std::error::Error;
use std::fmt;

use crate::command::Output;

use super::SystemError;

/// Another program could not be run, or did not end as wished.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// A system call failed: the program was not found, may not be executed, or the machine has run out of something.
    System(SystemError),
    /// Its time was up, and it was killed. What it wrote until then is inside.
    TimedOut(Box<Output>),
    /// It exited with another code than 0, or was killed.
    Failed(Box<Output>),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::TimedOut(output) => write!(
                f,
                "the program took too long and was killed{}",
                Complaint(output)
            ),
            Self::Failed(output) => write!(
                f,
                "the program failed: {}{}",
                output.status(),
                Complaint(output)
            ),
        }
    }
}

/// The last of what a program wrote to its standard error.
struct Complaint<'a>(&'a Output);

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0.stderr());
        let lines: Vec<_> = text.lines().rev().take(3).collect();
        if lines.is_empty() {
            return Ok(());
        }
        f.write_str("; it said: ")?;
        f.write_str(&lines.into_iter().rev().collect::<Vec<_>>().join(" / "))
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SystemError> for CommandError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}
