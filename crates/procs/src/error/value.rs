//! Values that do not become bytes, or bytes values.

use std::error::Error;
use std::fmt;

/// A value could not be turned into bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    text: String,
}

impl EncodeError {
    pub(crate) fn new(type_name: &str, reason: String) -> Self {
        Self {
            text: format!("a value of type {type_name} cannot be sent: {reason}"),
        }
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self { text }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for EncodeError {}

/// Bytes could not be turned back into a value: its `Serialize` and `Deserialize` do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    text: String,
}

impl DecodeError {
    pub(crate) fn new(type_name: &str, reason: String) -> Self {
        Self {
            text: format!("a value of type {type_name} arrived but cannot be read: {reason}"),
        }
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self { text }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for DecodeError {}
