//! Descriptors inside values: a descriptor is encoded as its index in a list that is sent with the bytes (SCM_RIGHTS).
//!
//! Serde does not pass such a list through, so it is kept in a thread-local while a value is encoded or decoded.

use std::cell::RefCell;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::error::EncodeError;
use crate::sys;
use crate::wire::codec;

/// The largest number of descriptors that travel with one value.
pub(crate) const LIMIT: usize = sys::MAX_PASSED;

thread_local! {
    /// Descriptors of the value that is being encoded. `None`: the value cannot carry descriptors.
    static ATTACHED: RefCell<Option<Vec<OwnedFd>>> = const { RefCell::new(None) };
    /// Descriptors that came with the value that is being decoded. `None`: the descriptor was taken.
    static ARRIVED: RefCell<Vec<Option<OwnedFd>>> = const { RefCell::new(Vec::new()) };
}

/// Restores the thread's former lists when it is dropped, also while the value's code panics.
struct Restore(Option<Vec<OwnedFd>>, Vec<Option<OwnedFd>>);

impl Restore {
    /// Replaces the thread's lists until the value is dropped.
    fn replacing(attached: Option<Vec<OwnedFd>>, arrived: Vec<Option<OwnedFd>>) -> Self {
        Self(ATTACHED.replace(attached), ARRIVED.replace(arrived))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        ATTACHED.set(self.0.take());
        ARRIVED.set(std::mem::take(&mut self.1));
    }
}

/// Appends the encoded value to `bytes` and returns duplicates of the descriptors in it, at most `limit`.
pub(crate) fn encode<T: Serialize>(
    value: &T,
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<Vec<OwnedFd>, EncodeError> {
    let before = bytes.len();
    let restore = Restore::replacing(Some(Vec::new()), Vec::new());
    codec::encode(value, bytes)?;
    let descriptors = ATTACHED.take().unwrap_or_default();
    drop(restore);
    if descriptors.len() > limit {
        bytes.truncate(before);
        let reason = format!("it holds more than {limit} descriptors");
        return Err(EncodeError::new(std::any::type_name::<T>(), reason));
    }
    Ok(descriptors)
}

/// Calls a function that decodes a value with these descriptors. Closes those that it does not take.
pub(crate) fn with<R>(descriptors: Vec<OwnedFd>, decode: impl FnOnce() -> R) -> R {
    let arrived = descriptors.into_iter().map(Some).collect();
    let _restore = Restore::replacing(None, arrived);
    decode()
}

/// Serializes a descriptor: adds a duplicate to the message's list.
pub(crate) fn pack<S: Serializer>(
    descriptor: BorrowedFd<'_>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let fail = |reason: String| Err(ser::Error::custom(reason));
    let copy = match descriptor.try_clone_to_owned() {
        Ok(copy) => copy,
        Err(error) => return fail(format!("a descriptor in it cannot be duplicated: {error}")),
    };
    let number = ATTACHED.with_borrow_mut(|attached| {
        attached.as_mut().map(|attached| {
            attached.push(copy);
            attached.len() - 1
        })
    });
    match number {
        Some(number) => (number as u32).serialize(serializer),
        None => fail(
            "it holds a descriptor, which can be sent only in arguments of a process or of a pool's initializer, \
             and in messages of a connection"
                .to_owned(),
        ),
    }
}

/// Deserializes a descriptor: takes it out of the message's list.
///
/// Serde may decode untagged and flattened types from its buffer several times: each attempt gets a duplicate.
pub(crate) fn unpack<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OwnedFd, D::Error> {
    deserializer.deserialize_newtype_struct(codec::READ_ONCE, IndexVisitor)
}

/// Takes the descriptor whose index is decoded.
struct IndexVisitor;

impl<'de> Visitor<'de> for IndexVisitor {
    type Value = OwnedFd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a descriptor")
    }

    /// Called by the codec itself: the value is not decoded again.
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<OwnedFd, E> {
        ARRIVED
            .with_borrow_mut(|arrived| arrived.get_mut(usize::try_from(number).ok()?)?.take())
            .ok_or_else(missing)
    }

    /// Called by serde's buffer: the value may be decoded again.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<OwnedFd, D::Error> {
        let number = u32::deserialize(deserializer)? as usize;
        let copy = ARRIVED.with_borrow(|arrived| {
            let descriptor = arrived.get(number)?.as_ref()?;
            Some(descriptor.try_clone())
        });
        copy.ok_or_else(missing)?.map_err(|error| {
            de::Error::custom(format!("a descriptor in it cannot be duplicated: {error}"))
        })
    }
}

fn missing<E: de::Error>() -> E {
    refuse("a descriptor in it did not come with it")
}

/// Makes the error of a value whose descriptor is of the wrong kind.
pub(crate) fn refuse<E: de::Error>(reason: &str) -> E {
    E::custom(reason)
}

/// An open file, socket or other descriptor that can be sent to another process.
///
/// Serializing it sends a duplicate. That works in the arguments of [`spawn`](crate::spawn) and of a pool's initializer,
/// and in the messages of a [`Connection`](crate::Connection). Elsewhere it is an [`EncodeError`].
///
/// It converts from `OwnedFd`, `File` and the standard library's sockets, pipes and child streams, and into `OwnedFd`.
///
/// ```
/// use std::fs::File;
/// use std::io::Read;
///
/// use procs::Descriptor;
///
/// #[procs::task]
/// fn length(file: Descriptor) -> usize {
///     let mut text = String::new();
///     File::from(file.into_inner()).read_to_string(&mut text).unwrap()
/// }
///
/// #[procs::main]
/// fn main() {
///     let file = File::open("/proc/self/status").unwrap();
///     let mut process = procs::spawn(length, Descriptor::from(file)).unwrap();
///     assert!(process.join().unwrap() > 0);
/// }
/// ```
#[derive(Debug)]
#[doc(alias = "fd")]
#[doc(alias = "SCM_RIGHTS")]
#[must_use = "dropping the descriptor closes it"]
pub struct Descriptor(OwnedFd);

impl Descriptor {
    /// Makes a descriptor from a file, a socket or another owner of one, of any type.
    pub fn new(owner: impl Into<OwnedFd>) -> Self {
        Self(owner.into())
    }

    /// Returns the descriptor, for `File::from`, `TcpListener::from` and the like.
    #[must_use]
    pub fn into_inner(self) -> OwnedFd {
        self.0
    }
}

/// Conversions from the owners of descriptors. A blanket one would overlap with the one from `Descriptor` to itself.
macro_rules! from_owners {
    ($($owner:path),* $(,)?) => {$(
        impl From<$owner> for Descriptor {
            fn from(owner: $owner) -> Self {
                Self(owner.into())
            }
        }
    )*};
}

from_owners!(
    OwnedFd,
    std::fs::File,
    std::io::PipeReader,
    std::io::PipeWriter,
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
    std::os::unix::net::UnixDatagram,
    std::os::unix::net::UnixListener,
    std::os::unix::net::UnixStream,
    std::process::ChildStderr,
    std::process::ChildStdin,
    std::process::ChildStdout,
);

impl From<Descriptor> for OwnedFd {
    fn from(descriptor: Descriptor) -> Self {
        descriptor.0
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Serialize for Descriptor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pack(self.as_fd(), serializer)
    }
}

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unpack(deserializer).map(Self)
    }
}
