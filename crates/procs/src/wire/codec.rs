//! Values as bytes: serde on postcard's stable wire format.

use std::any::type_name;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{DecodeError, EncodeError};
use crate::wire::attachments;

/// The largest value that is sent as bytes.
pub(crate) const MAX_BYTES: usize = 1 << 30;

/// Appends to a vector, and refuses to pass the limit.
struct Append<'a> {
    bytes: &'a mut Vec<u8>,
    limit: usize,
}

impl Append<'_> {
    fn check(&self, more: usize) -> postcard::Result<()> {
        if more > self.limit.saturating_sub(self.bytes.len()) {
            return Err(postcard::Error::SerializeBufferFull);
        }
        Ok(())
    }
}

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.check(data.len())?;
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.check(1)?;
        self.bytes.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Appends a value to `bytes`. On an error `bytes` is as before.
pub(crate) fn encode<T: Serialize>(value: &T, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
    let before = bytes.len();
    let limit = before.saturating_add(MAX_BYTES);
    postcard::serialize_with_flavor(value, Append { bytes, limit }).map_err(|error| {
        bytes.truncate(before);
        let reason = match error {
            postcard::Error::SerializeBufferFull => format!("it takes more than {MAX_BYTES} bytes"),
            // What the type said itself does not survive postcard.
            postcard::Error::SerdeSerCustom => {
                attachments::take_reason().unwrap_or_else(|| error.to_string())
            }
            error => error.to_string(),
        };
        EncodeError::new(type_name::<T>(), reason)
    })
}

/// Reads a value that must fill `bytes` exactly.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes::<T>(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DecodeError::new(
            type_name::<T>(),
            format!("{} bytes are left over", rest.len()),
        )),
        Err(error) => {
            let reason = match error {
                postcard::Error::SerdeDeCustom => attachments::take_reason(),
                _ => None,
            };
            let reason = reason.unwrap_or_else(|| error.to_string());
            Err(DecodeError::new(type_name::<T>(), reason))
        }
    }
}
