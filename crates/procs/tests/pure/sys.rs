//! Stands for the system: memory that is shared by threads only, and a clock. The copies are those of the crate.

use std::cell::UnsafeCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;

#[path = "../../src/sys/shared_copy.rs"]
mod shared_copy;

pub(crate) mod sync {
    pub(crate) use std::sync::atomic;
}

/// Shared memory, aligned to words as a mapping is.
pub(crate) struct SharedMap(Box<[UnsafeCell<u64>]>);

// SAFETY: all access is atomic, as in the crate's map.
unsafe impl Sync for SharedMap {}

impl SharedMap {
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Ok(Self(
            (0..length.div_ceil(8))
                .map(|_| UnsafeCell::new(0))
                .collect(),
        ))
    }

    pub(crate) fn attach(_file: OwnedFd, length: usize) -> io::Result<Self> {
        Self::new(length)
    }

    /// The address of `count` bytes at an offset.
    fn at(&self, offset: usize, count: usize) -> *mut u8 {
        assert!(offset + count <= 8 * self.0.len(), "outside of the map");
        let start = self.0.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: the offset was checked.
        unsafe { start.add(offset) }
    }

    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        // SAFETY: `at` has checked the range; the address is aligned, and all access to it is atomic.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: `at` has checked the range; all access to it is atomic.
        unsafe { shared_copy::copy_in(self.at(offset, bytes.len()), bytes) };
    }

    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.at(offset, bytes.len());
        // SAFETY: `at` has checked the range; all access to it is atomic.
        unsafe { shared_copy::copy_out(bytes.as_mut_ptr(), from, bytes.len()) };
    }

    pub(crate) fn append_to(&self, bytes: &mut Vec<u8>, offset: usize, count: usize) {
        // SAFETY: `at` has checked the range; all access to it is atomic.
        unsafe { shared_copy::append(bytes, self.at(offset, count), count) };
    }
}

impl AsFd for SharedMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        unreachable!("the memory has no file here")
    }
}

/// Journals begin to count at 1 here.
pub(crate) fn fill_random(_bytes: &mut [u8]) -> io::Result<()> {
    Ok(())
}

pub(crate) fn monotonic_nanos() -> u64 {
    1
}
