//! The protocol of proxies and a manager's process: a request and its reply, each with its length before it.
//!
//! Keys and values are bytes here; their types exist in the proxies only. Equal values have equal bytes.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Serialize, de};

use crate::error::{EncodeError, ManagerError};
use crate::wire::codec::{self, MAX_BYTES};

/// Maximum length of a message in bytes: two of the largest values. What else it holds is small beside them.
const MAX_MESSAGE: u64 = 2 * MAX_BYTES as u64;

thread_local! {
    /// Tokens of the proxies in the value that this thread encodes for a manager. `None`: it encodes for others.
    static TOKENS: RefCell<Option<Vec<u64>>> = const { RefCell::new(None) };
}

/// Notes the token of a proxy that is being encoded.
pub(super) fn note_token(token: u64) {
    TOKENS.with_borrow_mut(|tokens| {
        if let Some(tokens) = tokens {
            tokens.push(token);
        }
    });
}

/// Restores the list of an outer value, also after a panic of the value's own code.
struct Restore(Option<Vec<u64>>);

impl Drop for Restore {
    fn drop(&mut self) {
        TOKENS.set(self.0.take());
    }
}

/// An encoded key or value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Bytes(
    #[serde(with = "plain")] pub(super) Vec<u8>,
    /// Tokens of the proxies in it, in transit to the manager.
    pub(super) Vec<u64>,
);

impl Bytes {
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, ManagerError> {
        Ok(codec::decode(&self.0)?)
    }
}

/// Bytes as such, not as a sequence of numbers.
mod plain {
    use serde::{Deserializer, Serializer};

    use super::BytesVisitor;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// A key or value as bytes.
pub(super) fn encoded<T: Serialize>(value: &T) -> Result<Bytes, EncodeError> {
    let restore = Restore(TOKENS.replace(Some(Vec::new())));
    let mut bytes = Vec::new();
    codec::encode(value, &mut bytes)?;
    let tokens = TOKENS.take().unwrap_or_default();
    drop(restore);
    Ok(Bytes(bytes, tokens))
}

/// The kind of an object. A proxy's methods belong to one kind, whatever its type was when it travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Dict,
    List,
    Counter,
    Value,
}

/// A kind as a type.
pub(super) trait ObjectKind {
    const KIND: Kind;
}

macro_rules! kinds {
    ($($kind:ident),*) => {
        /// The kinds as types.
        pub(super) mod kinds {
            use super::{Kind, ObjectKind};

            $(
                #[derive(Clone, Debug)]
                pub(in crate::ipc::manager) enum $kind {}

                impl ObjectKind for $kind {
                    const KIND: Kind = Kind::$kind;
                }
            )*
        }
    };
}

kinds!(Dict, List, Counter, Value);

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
    /// Registers a client. It ends with the connection, and so do its references.
    Begin,
    /// Makes an object, with one reference, of this client.
    Make(u64, NewObject),
    /// Makes a token: the reference of a proxy in transit.
    Send(u64),
    /// Makes a reference of this client to the object. Uses up the token, unless that is stored in another object.
    Receive {
        client: u64,
        object: u64,
        token: u64,
    },
    /// Ends a reference of this client to the object. Has no reply.
    Release(u64, u64),
    /// Counts the objects.
    Count,
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

impl Operation {
    /// Removes and returns the tokens of the values that it may store.
    pub(super) fn take_tokens(&mut self) -> Vec<u64> {
        let value = match self {
            Self::Append(values) => {
                let tokens = values.iter_mut().map(|value| std::mem::take(&mut value.1));
                return tokens.flatten().collect();
            }
            Self::Insert(key, value) => {
                key.1.clear();
                value
            }
            Self::Exchange(key, _, Some(value)) => {
                key.1.clear();
                value
            }
            Self::Set(_, value) | Self::ExchangeAt(_, _, value) | Self::InsertAt(_, value) => value,
            Self::Get(key) | Self::Remove(key) => {
                key.1.clear();
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        std::mem::take(&mut value.1)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The number of a client, an object, a token, or objects.
    Made(u64),
    /// There is no such object, or no longer.
    Gone,
    Done(bool),
    Number(i64),
    Bytes(Option<Bytes>),
    List(Vec<Bytes>),
    Pairs(Vec<(Bytes, Bytes)>),
    /// The list has no such element.
    OutOfRange,
    /// The object is of another kind.
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
