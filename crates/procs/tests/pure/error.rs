//! Errors of the crate.

#[path = "../../src/error/panicked.rs"]
mod panicked;
#[path = "../../src/error/value.rs"]
mod value;

pub(crate) use panicked::Panicked;
pub(crate) use value::{DecodeError, EncodeError};
