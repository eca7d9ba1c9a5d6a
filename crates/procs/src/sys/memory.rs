//! Memory shared by two processes: anonymous, sealed, gone with its last user.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A mapping of a memory file. Two processes see the same bytes.
///
/// The file is sealed against shrinking and growing, so that touching the map can never raise SIGBUS.
pub(crate) struct SharedMap {
    file: OwnedFd,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the map is plain memory that belongs to no thread.
unsafe impl Send for SharedMap {}
// SAFETY: shared access goes through atomics, or through `read` and `write`, whose callers take turns by them.
unsafe impl Sync for SharedMap {}

impl SharedMap {
    /// New zeroed memory; `length` is rounded up to whole pages by the kernel.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name is a C string; memfd_create copies it.
        let raw = unsafe { libc::memfd_create(c"procs".as_ptr(), flags) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: on success the descriptor is new and nobody else owns it.
        let file = unsafe { File::from_raw_fd(raw) };
        file.set_len(length as u64)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: F_ADD_SEALS takes an integer and touches no memory.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Self::map(file.into(), length)
    }

    /// Maps memory that another process made. Refuses a file that is shorter or could still shrink.
    pub(crate) fn attach(file: OwnedFd, length: usize) -> io::Result<Self> {
        let file = File::from(file);
        // SAFETY: F_GET_SEALS touches no memory.
        let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        if seals < 0 || seals & libc::F_SEAL_SHRINK == 0 || file.metadata()?.len() < length as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the shared memory is not sealed or too short",
            ));
        }
        Self::map(file.into(), length)
    }

    fn map(file: OwnedFd, length: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing; the file is open and long enough.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast())
            .ok_or_else(|| io::Error::other("the kernel mapped address zero"))?;
        Ok(Self {
            file,
            start,
            length,
        })
    }

    /// The word at a byte offset, which must be a multiple of eight inside the map.
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.length,
            "word outside the shared memory"
        );
        // SAFETY: the offset was checked to be aligned and inside the mapping, which is page-aligned, writable, and lives
        // as long as self; all access to this word, here and in the other process, is atomic.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(offset).cast()) }
    }

    /// Half a word at a byte offset, which must be a multiple of four inside the map; for futexes.
    pub(crate) fn half_word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4), "an aligned offset");
        // SAFETY: the place is inside the mapping and aligned; it lives as long as self, and all access to it is atomic.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    /// The address of so many bytes inside the map, which is valid for as long as the map lives.
    pub(crate) fn at(&self, offset: usize, count: usize) -> *mut u8 {
        assert!(
            offset
                .checked_add(count)
                .is_some_and(|end| end <= self.length),
            "place outside the shared memory"
        );
        // SAFETY: the offset was checked to be inside the mapping, or at its end.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// Copies bytes into the map. The caller publishes them by a release store to a word afterwards.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(
            offset
                .checked_add(bytes.len())
                .is_some_and(|end| end <= self.length),
            "write outside the shared memory"
        );
        // SAFETY: the range was checked; a caller's buffer never lies in the map, of which only words are lent out.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().add(offset), bytes.len())
        }
    }

    /// Copies bytes out of the map, after the words that publish them were read with acquire ordering.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        assert!(
            offset
                .checked_add(bytes.len())
                .is_some_and(|end| end <= self.length),
            "read outside the shared memory"
        );
        // SAFETY: as in `write`, with the directions exchanged.
        unsafe {
            ptr::copy_nonoverlapping(
                self.start.as_ptr().add(offset),
                bytes.as_mut_ptr(),
                bytes.len(),
            )
        }
    }
}

impl AsFd for SharedMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what mmap returned; every borrow of it has ended with self.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// A memory file with this content, for somebody to whom it is passed.
pub(crate) fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string; memfd_create copies it.
    let raw = unsafe { libc::memfd_create(c"procs".as_ptr(), libc::MFD_CLOEXEC) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success the descriptor is new and nobody else owns it.
    let mut file = unsafe { File::from_raw_fd(raw) };
    file.write_all(content)?;
    Ok(file.into())
}

/// Appends the first bytes of a file.
pub(crate) fn append_file(file: OwnedFd, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let start = bytes.len();
    bytes.resize(start + length, 0);
    File::from(file).read_exact_at(&mut bytes[start..], 0)
}
