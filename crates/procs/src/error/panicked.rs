//! Panics of tasks, as values.

use std::error::Error;
use std::fmt;

/// A task panicked. The panic came back from the other process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    message: String,
    location: Option<String>,
    backtrace: Option<String>,
}

impl Panicked {
    pub(crate) fn new(
        message: String,
        location: Option<String>,
        backtrace: Option<String>,
    ) -> Self {
        Self {
            message,
            location,
            backtrace,
        }
    }

    /// Returns the message of the panic.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the place in the source, as `file:line:column`.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Returns the stack of the other process at the panic. `None` unless `RUST_BACKTRACE` is set, and not to 0.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task panicked: {}", self.message)?;
        match &self.location {
            Some(location) => write!(f, " (at {location})"),
            None => Ok(()),
        }
    }
}

impl Error for Panicked {}
