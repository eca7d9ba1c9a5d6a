//! Memory shared by processes: anonymous memory files, sealed against changes of size, freed with their last user.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::descriptor::above_standard;
use super::shared_copy::{self, WORD};

/// A mapping of a memory file. All processes that map the file see the same bytes.
///
/// The file is sealed against shrinking and growing, so an access to the map never raises SIGBUS. Other processes may
/// change the bytes at any moment. Every access through a safe function is atomic, by words or by bytes. No safe function
/// returns a reference to plain bytes.
pub(crate) struct SharedMap {
    file: OwnedFd,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; any thread may access and unmap it.
unsafe impl Send for SharedMap {}
// SAFETY: every access through a shared reference is atomic (`word`, `half_word`, `read`, `write`). `at` returns only an
// address; its users state their own conditions.
unsafe impl Sync for SharedMap {}

impl SharedMap {
    /// Makes zeroed memory. The kernel rounds `length` up to whole pages.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        check_file_size(length)?;
        let file = create_file(libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)?;
        file.set_len(length as u64)?;
        let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // SAFETY: F_ADD_SEALS takes an integer and touches no memory.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Self::map(file.into(), length)
    }

    /// Maps memory that another process made.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the file is shorter than `length` or could still shrink.
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

    /// Returns the word at a byte offset, which must be a multiple of eight inside the map.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(
            offset.is_multiple_of(WORD),
            "word at an offset that is not aligned"
        );
        // SAFETY: `at` has checked that the word is inside the mapping, which is page-aligned, writable, and lives as long
        // as self. All access to the word, here and in other processes, is atomic.
        unsafe { AtomicU64::from_ptr(self.at(offset, WORD).cast()) }
    }

    /// Returns half a word at a byte offset, which must be a multiple of four inside the map. Futexes are half words.
    #[inline]
    pub(crate) fn half_word(&self, offset: usize) -> &AtomicU32 {
        assert!(
            offset.is_multiple_of(4),
            "half word at an offset that is not aligned"
        );
        // SAFETY: as in `word`, with the size of half a word.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }
    }

    /// Returns the address of `count` bytes at `offset`, which is valid while the map lives.
    ///
    /// # Panics
    ///
    /// When the range is not inside the map.
    #[inline]
    pub(crate) fn at(&self, offset: usize, count: usize) -> *mut u8 {
        assert!(
            offset
                .checked_add(count)
                .is_some_and(|end| end <= self.length),
            "range outside the shared memory"
        );
        // SAFETY: the offset was checked to be inside the mapping, or at its end.
        unsafe { self.start.as_ptr().add(offset) }
    }

    /// Copies bytes into the map, atomically by words and bytes. A release store to a word afterwards publishes them.
    #[inline]
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: `at` has checked the destination, all access to which is atomic. The source is a slice, which does not lie
        // in the map, because no safe function returns a slice of it.
        unsafe { shared_copy::copy_in(to, bytes) };
    }

    /// Appends bytes of the map to `bytes`, as [`read`](Self::read) does. Does not allocate if there is room.
    #[inline]
    pub(crate) fn append_to(&self, bytes: &mut Vec<u8>, offset: usize, count: usize) {
        let from = self.at(offset, count);
        // SAFETY: `at` has checked the range, all access to which is atomic.
        unsafe { shared_copy::append(bytes, from, count) };
    }

    /// Copies bytes out of the map, atomically by words and bytes.
    ///
    /// The caller first loads the word that publishes the bytes, with acquire. If another process writes during the copy, the
    /// copy mixes old and new bytes, so the caller validates it afterwards.
    #[inline]
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.at(offset, bytes.len());
        // SAFETY: `at` has checked the range, all access to which is atomic; the other is a slice, which does not lie in the
        // map.
        unsafe { shared_copy::copy_out(bytes.as_mut_ptr(), from, bytes.len()) };
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

/// Makes an empty memory file.
fn create_file(flags: libc::c_uint) -> io::Result<File> {
    // SAFETY: the name is a C string; memfd_create copies it.
    let raw = unsafe { libc::memfd_create(c"procs".as_ptr(), flags) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success the descriptor is new and nobody else owns it.
    above_standard(unsafe { File::from_raw_fd(raw) })
}

/// Returns `EFBIG` for a size above the process's file-size limit. The limit applies to memory files too, and exceeding it
/// raises SIGXFSZ.
fn check_file_size(length: usize) -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is a live value of the type that getrlimit writes.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    if limit.rlim_cur == libc::RLIM_INFINITY || length as u64 <= limit.rlim_cur {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EFBIG))
    }
}

/// Makes a memory file with this content, to be passed to another process.
pub(crate) fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    check_file_size(content.len())?;
    let mut file = create_file(libc::MFD_CLOEXEC)?;
    file.write_all(content)?;
    Ok(file.into())
}

/// Appends the first `length` bytes of a file to `bytes`.
pub(crate) fn append_file(file: OwnedFd, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let start = bytes.len();
    bytes.resize(start + length, 0);
    File::from(file).read_exact_at(&mut bytes[start..], 0)
}
