//! The error of the codec: why a value was not encoded or decoded, and at which part of it.

use std::error::Error;
use std::fmt::{self, Display, Write};

/// Length of the longest key of a map that is shown, in bytes.
const SHOWN_KEY: usize = 64;

/// A reason, and the path to the field or element that it concerns.
#[derive(Debug)]
pub(super) struct Failure(Box<Details>);

#[derive(Debug)]
struct Details {
    /// From the innermost step to the outermost.
    path: Vec<Step>,
    reason: String,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Element(usize),
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(Details {
            path: Vec::new(),
            reason: reason.into(),
        }))
    }

    /// Bytes end within the value.
    #[cold]
    pub(super) fn truncated() -> Self {
        Self::new("the bytes end within it")
    }

    #[cold]
    pub(super) fn too_deep() -> Self {
        Self::new(format!(
            "it is nested more than {} levels deep",
            super::MAX_DEPTH
        ))
    }

    #[cold]
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(format!("it takes more than {limit} bytes"))
    }

    /// Adds the field, or the key of a map, that the reason concerns.
    #[cold]
    pub(super) fn in_field(mut self, name: &str) -> Self {
        if name.len() <= SHOWN_KEY {
            self.0.path.push(Step::Field(name.to_owned()));
        }
        self
    }

    /// Adds the element of a sequence that the reason concerns.
    #[cold]
    pub(super) fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Step::Element(index));
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.path.iter().rev().enumerate() {
            match step {
                Step::Field(name) if index == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(element) => write!(f, "[{element}]")?,
            }
        }
        if !self.0.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.0.reason)
    }
}

impl Error for Failure {}

impl serde::ser::Error for Failure {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::new(text(message))
    }
}

impl serde::de::Error for Failure {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::new(text(message))
    }
}

/// Returns the text of a message. `to_string` would panic for a message whose `Display` fails.
fn text(message: impl Display) -> String {
    let mut text = String::new();
    match write!(text, "{message}") {
        Ok(()) => text,
        Err(_) => "its error has no text".to_owned(),
    }
}
