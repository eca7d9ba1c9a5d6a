//! Memory that processes share: bytes, an array, one value.
//!
//! It is anonymous: it has no name that could be left behind, and goes with its last user, however that ends. All safe
//! access is atomic, a word or an element at a time, so that a read returns values that were
//! written, whatever the other processes do at that time. Order between accesses comes from what the processes use to take turns: a connection, a queue, a lock.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::slice;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::SystemError;
use crate::sys::SharedMap;
use crate::wire::attachments;

mod array;
mod plain;
mod value;

pub use array::SharedArray;
pub use plain::Plain;
pub use value::SharedValue;

const WORD: usize = size_of::<u64>();

/// Creates memory for `count` elements of `size` bytes.
fn allocate(count: usize, size: usize) -> Result<Arc<SharedMap>, SystemError> {
    let too_much = || io::Error::from_raw_os_error(libc::ENOMEM);
    count
        .checked_mul(size)
        .and_then(|bytes| bytes.max(1).checked_next_multiple_of(WORD))
        .ok_or_else(too_much)
        .and_then(SharedMap::new)
        .map(Arc::new)
        .map_err(SystemError::new("make shared memory"))
}

/// Serializes shared memory: its file, and how many elements it has.
fn pack<S: Serializer>(map: &SharedMap, count: usize, serializer: S) -> Result<S::Ok, S::Error> {
    (Packed(map), count as u64).serialize(serializer)
}

/// Shared memory as it travels.
pub(crate) struct Packed<'a>(pub(crate) &'a SharedMap);

impl Serialize for Packed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachments::pack(self.0.as_fd(), serializer)
    }
}

/// Deserializes shared memory of elements of a size.
fn unpack<'de, D: Deserializer<'de>>(
    deserializer: D,
    size: usize,
) -> Result<(Arc<SharedMap>, usize), D::Error> {
    let (file, count) = <(attachments::Descriptor, u64)>::deserialize(deserializer)?;
    let refuse = || attachments::refuse::<D::Error>("a descriptor in it is no shared memory");
    let count = usize::try_from(count).map_err(|_| refuse())?;
    let length = count
        .checked_mul(size)
        .and_then(|bytes| bytes.max(1).checked_next_multiple_of(WORD))
        .ok_or_else(refuse)?;
    match SharedMap::attach(file.into_inner(), length) {
        Ok(map) => Ok((Arc::new(map), count)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(refuse()),
        Err(error) => Err(de::Error::custom(error)),
    }
}

/// Bytes that processes share.
///
/// A clone is the same memory. So is what another process gets: among the arguments of [`spawn`](crate::spawn) and of a
/// pool's initializer, or in a message of a [`Connection`](crate::Connection). Handing it over costs the same whatever
/// its size. The kernel gives memory to those pages only that have been touched.
///
/// ```
/// use procs::SharedMemory;
///
/// #[procs::task]
/// fn shout(text: SharedMemory) {
///     let mut bytes = vec![0; text.len()];
///     text.read(0, &mut bytes);
///     bytes.make_ascii_uppercase();
///     text.write(0, &bytes);
/// }
///
/// #[procs::main]
/// fn main() {
///     let text = SharedMemory::new(5).unwrap();
///     text.write(0, b"hello");
///     procs::spawn(shout, text.clone()).unwrap().join().unwrap();
///     let mut bytes = [0; 5];
///     text.read(0, &mut bytes);
///     assert_eq!(&bytes, b"HELLO");
/// }
/// ```
#[derive(Clone)]
#[doc(alias = "mmap")]
#[doc(alias = "shm_open")]
#[must_use = "shared memory that is dropped by all its users is gone"]
pub struct SharedMemory {
    map: Arc<SharedMap>,
    length: usize,
}

impl SharedMemory {
    /// Creates memory of `length` bytes, all zero.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(length: usize) -> Result<Self, SystemError> {
        let map = allocate(length, 1)?;
        Ok(Self { map, length })
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Returns whether the length is zero.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn check(&self, offset: usize, count: usize) {
        assert!(
            offset
                .checked_add(count)
                .is_some_and(|end| end <= self.length),
            "{count} bytes at {offset} are outside a shared memory of {} bytes",
            self.length
        );
    }

    /// Copies the bytes from `offset` on into `bytes`.
    ///
    /// What another process writes meanwhile may be there in part.
    ///
    /// # Panics
    ///
    /// When that goes beyond the end.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        self.check(offset, bytes.len());
        self.map.read(offset, bytes);
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Panics
    ///
    /// When that goes beyond the end.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.check(offset, bytes.len());
        self.map.write(offset, bytes);
    }

    /// Returns the bytes as a slice.
    ///
    /// # Safety
    ///
    /// During the life of the slice no thread writes to this memory, in this process or in another.
    pub unsafe fn as_slice(&self) -> &[u8] {
        // SAFETY: the map is as long as it says and lives as long as self; the caller guarantees that no thread writes.
        unsafe { slice::from_raw_parts(self.map.at(0, self.length), self.length) }
    }

    /// Returns the bytes as a slice that can be changed.
    ///
    /// # Safety
    ///
    /// During the life of the slice no other thread reads or writes this memory, in this process or in another, also through a
    /// clone.
    pub unsafe fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above; the caller guarantees that no other thread uses it.
        unsafe { slice::from_raw_parts_mut(self.map.at(0, self.length), self.length) }
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("len", &self.length)
            .finish_non_exhaustive()
    }
}

impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pack(&self.map, self.length, serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unpack(deserializer, 1).map(|(map, length)| Self { map, length })
    }
}
