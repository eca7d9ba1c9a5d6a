//! Values as bytes: serde on MessagePack with named fields.
//!
//! The format is self-describing. A field that `skip_serializing_if` omits can be omitted, and untagged, internally tagged
//! and flattened types can be decoded. `is_human_readable` is true, because serde decodes such types from a buffer whose
//! `is_human_readable` is true. A type such as `IpAddr` would otherwise be written in one form and read in the other.
//!
//! | value | bytes |
//! |---|---|
//! | integers, floats, booleans, strings, bytes, sequences, maps | MessagePack, integers in the smallest form |
//! | struct | map from the fields' names |
//! | tuple, tuple struct | array |
//! | newtype struct | what is inside |
//! | unit, unit struct, `None` | nil |
//! | `Some(value)` | the value; see [`format::SOME`] where that would read as `None` |
//! | unit variant | its name |
//! | other variants | map of one entry: the name, the content |
//! | `char` | string |
//! | `u128`, `i128` beyond 64 bits | extension of 16 bytes |
//! | sequence of `u8` | extension; read as a sequence |

mod byte;
mod decoder;
mod encoder;
mod failure;
mod format;

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{DecodeError, EncodeError};
use decoder::Decoder;
use encoder::Encoder;

/// The largest encoded value, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 30;

/// The deepest nesting of containers, options and newtypes that is encoded or decoded.
///
/// It keeps recursive values from overflowing a thread's stack of 2 MiB, in builds without optimization too.
pub(crate) const MAX_DEPTH: u32 = 512;

/// Name of a newtype struct of an integer. The decoder calls `visit_u64` of the visitor, while serde's buffer calls
/// `visit_newtype_struct`. So the visitor can tell whether the value may be decoded again.
pub(crate) const READ_ONCE: &str = "procs::read_once";

/// Truncates a vector to its former length when it is dropped, also while `Serialize` panics. After success that is the new
/// length.
struct Rollback<'a> {
    bytes: &'a mut Vec<u8>,
    before: usize,
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.before);
    }
}

/// Appends a value to `bytes`. On an error or a panic `bytes` is as before.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    encode_within(value, bytes, MAX_BYTES)
}

/// Encodes a value of at most `limit` bytes.
pub(crate) fn to_vec_within<T: Serialize + ?Sized>(
    value: &T,
    limit: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    encode_within(value, &mut bytes, limit)?;
    Ok(bytes)
}

/// Encodes a value.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    to_vec_within(value, MAX_BYTES)
}

fn encode_within<T: Serialize + ?Sized>(
    value: &T,
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<(), EncodeError> {
    let before = bytes.len();
    let mut rollback = Rollback { bytes, before };
    let mut encoder = Encoder::new(rollback.bytes, limit);
    value
        .serialize(&mut encoder)
        .and_then(|()| encoder.finish())
        .map_err(|failure| EncodeError::new(type_name::<T>(), failure.to_string()))?;
    rollback.before = rollback.bytes.len();
    Ok(())
}

/// Decodes a value. It must fill `bytes` exactly.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    T::deserialize(&mut decoder)
        .and_then(|value| decoder.finish().map(|()| value))
        .map_err(|failure| DecodeError::new(type_name::<T>(), failure.to_string()))
}
