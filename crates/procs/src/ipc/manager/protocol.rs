//! The protocol of proxies and a manager's process: a request and its reply, each with its length before it.
//!
//! Keys and values are bytes here: only the proxies know their types. Equal values have equal bytes.

use std::fmt;
use std::io::{self, Read, Write};

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::EncodeError;
use crate::wire::codec::{self, MAX_BYTES};

/// A message is little larger than the values in it.
const MAX_MESSAGE: u64 = 2 * MAX_BYTES as u64;

/// An encoded key or value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }
}

/// A key or value as bytes.
pub(super) fn encoded<T: Serialize>(value: &T) -> Result<Bytes, EncodeError> {
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes)?;
    Ok(Bytes(bytes))
}

/// The kind of an object. A proxy's methods belong to one kind, whatever its type was when it travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Dict,
    List,
    Counter,
    Value,
}

/// The initial content of an object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum NewObject {
    Dict,
    List,
    Counter(i64),
    Value(Bytes),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Make(NewObject),
    /// An operation on the object with this number, which must be of this kind.
    Do(u64, Kind, Operation),
}

/// An operation on an object: on lists by index, on dictionaries by key. A value has one empty key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Operation {
    Length,
    Clear,
    All,
    Get(Bytes),
    Insert(Bytes, Bytes),
    Remove(Bytes),
    /// Sets or removes what is at a key if it is as expected; answers true or false.
    Exchange(Bytes, Option<Bytes>, Option<Bytes>),
    At(u64),
    Set(u64, Bytes),
    ExchangeAt(u64, Bytes, Bytes),
    InsertAt(u64, Bytes),
    RemoveAt(u64),
    Append(Vec<Bytes>),
    Pop,
    Add(i64),
    SetNumber(i64),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Made(u64),
    Done(bool),
    Number(i64),
    Bytes(Option<Bytes>),
    List(Vec<Bytes>),
    Pairs(Vec<(Bytes, Bytes)>),
    /// The list has no such element.
    OutOfRange,
    /// The object is of another kind, or there is none.
    TypeMismatch,
}

/// Writes a message.
pub(super) fn write_message<T: Serialize>(mut stream: impl Write, message: &T) -> io::Result<()> {
    let mut bytes = vec![0; size_of::<u64>()];
    let mut body = codec::to_vec_within(message, MAX_MESSAGE as usize).map_err(io::Error::other)?;
    bytes.copy_from_slice(&(body.len() as u64).to_le_bytes());
    if body.len() < 64 * 1024 {
        // In one piece, for one system call.
        bytes.append(&mut body);
    }
    stream.write_all(&bytes)?;
    stream.write_all(&body)
}

/// Reads a message.
pub(super) fn read_message<T: DeserializeOwned>(mut stream: impl Read) -> io::Result<T> {
    let mut length = [0; size_of::<u64>()];
    stream.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body)?;
    codec::decode(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
