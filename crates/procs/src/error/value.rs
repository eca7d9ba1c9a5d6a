//! Errors of encoding and decoding values.

use std::error::Error;
use std::fmt;

/// A value could not be encoded. The text names its type, the field, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    text: String,
}

impl EncodeError {
    pub(crate) fn new(type_name: &str, reason: String) -> Self {
        Self {
            text: format!("a value of type {type_name} cannot be encoded: {reason}"),
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

/// A value could not be decoded. The text names its type, the field, and the reason.
///
/// The usual cause is a `Serialize` and a `Deserialize` that do not agree, or a `Deserialize` that refuses the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    text: String,
}

impl DecodeError {
    pub(crate) fn new(type_name: &str, reason: String) -> Self {
        Self {
            text: format!("a value of type {type_name} cannot be decoded: {reason}"),
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
