//! Memory shared by processes: anonymous, sealed, freed with its last user.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

const WORD: usize = size_of::<u64>();

/// From this size on, a copy uses vector registers. Below it, a loop over words is as fast.
#[cfg(target_arch = "x86_64")]
const VECTOR_COPY: usize = 128;

/// A mapping of a memory file. All processes that map the file see the same bytes.
///
/// The file is sealed against shrinking and growing, so an access to the map never raises SIGBUS. Other processes may
/// change the bytes at any moment. Every access through a safe function is atomic, by words or by bytes; none lends out a
/// plain reference.
pub(crate) struct SharedMap {
    file: OwnedFd,
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; any thread may access and unmap it.
unsafe impl Send for SharedMap {}
// SAFETY: every access through a shared reference is atomic (`word`, `half_word`, `read`, `write`). `at` hands out an
// address only; its users state their own conditions.
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
        #[cfg(target_arch = "x86_64")]
        if bytes.len() >= VECTOR_COPY {
            // SAFETY: `at` has checked the destination; the source is a slice. They do not overlap, because the map never
            // lends out slices through safe functions.
            unsafe { vector_copy(to, bytes.as_ptr(), bytes.len()) };
            return;
        }
        let unaligned = bytes.len().min(offset.wrapping_neg() % WORD);
        let (head, rest) = bytes.split_at(unaligned);
        let (words, tail) = rest.as_chunks::<WORD>();
        for (index, byte) in head.iter().enumerate() {
            // SAFETY: inside the range that `at` has checked; all access to the map is atomic.
            unsafe { AtomicU8::from_ptr(to.add(index)) }.store(*byte, Relaxed);
        }
        for (index, word) in words.iter().enumerate() {
            // SAFETY: as above; the address is a multiple of eight, because the mapping is page-aligned.
            unsafe { AtomicU64::from_ptr(to.add(unaligned + index * WORD).cast()) }
                .store(u64::from_ne_bytes(*word), Relaxed);
        }
        let done = bytes.len() - tail.len();
        for (index, byte) in tail.iter().enumerate() {
            // SAFETY: as for the first bytes.
            unsafe { AtomicU8::from_ptr(to.add(done + index)) }.store(*byte, Relaxed);
        }
    }

    /// Appends bytes of the map to `bytes`, as [`read`](Self::read) does. Does not allocate if there is room.
    #[inline]
    pub(crate) fn append_to(&self, bytes: &mut Vec<u8>, offset: usize, count: usize) {
        let start = bytes.len();
        bytes.reserve(count);
        self.at(offset, count);
        // SAFETY: `reserve` has made room for `count` more bytes.
        let to = unsafe { bytes.as_mut_ptr().add(start) };
        // SAFETY: the range of the map was checked; the other is the vector's spare room.
        unsafe { self.copy_out(to, offset, count) };
        // SAFETY: the copy has initialized these bytes, for which there is room.
        unsafe { bytes.set_len(start + count) };
    }

    /// Copies bytes out of the map, atomically by words and bytes.
    ///
    /// An acquire load of the word that publishes them comes first. If another process writes meanwhile, the copy mixes old
    /// and new bytes; the caller validates it afterwards.
    #[inline]
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        self.at(offset, bytes.len());
        // SAFETY: the range of the map was checked; the other is a slice, which does not lie in the map.
        unsafe { self.copy_out(bytes.as_mut_ptr(), offset, bytes.len()) };
    }

    /// # Safety
    ///
    /// `offset` and `count` are a range of the map. `to` is writable for `count` bytes, initialized or not, outside the map.
    #[inline]
    unsafe fn copy_out(&self, to: *mut u8, offset: usize, count: usize) {
        // SAFETY: the caller vouches for the range.
        let from = unsafe { self.start.as_ptr().add(offset) };
        #[cfg(target_arch = "x86_64")]
        if count >= VECTOR_COPY {
            // SAFETY: the caller vouches for both ranges.
            unsafe { vector_copy(to, from, count) };
            return;
        }
        let byte = |index| {
            // SAFETY: below `count`, so in both ranges; all access to the map is atomic.
            unsafe {
                to.add(index)
                    .write(AtomicU8::from_ptr(from.add(index)).load(Relaxed));
            }
        };
        let unaligned = count.min(offset.wrapping_neg() % WORD);
        let words_end = count - (count - unaligned) % WORD;
        (0..unaligned).for_each(byte);
        for index in (unaligned..words_end).step_by(WORD) {
            // SAFETY: as for a byte, for eight of them; the map's address is a multiple of eight, because the mapping is
            // page-aligned.
            unsafe {
                let word = AtomicU64::from_ptr(from.add(index).cast()).load(Relaxed);
                to.add(index).cast::<u64>().write_unaligned(word);
            }
        }
        (words_end..count).for_each(byte);
    }
}

/// Copies bytes through vector registers, nearly as fast as `memcpy`.
///
/// `rep movsb` would be as short, but takes 14 times as long on some processors when the destination lies a few bytes
/// behind the source, counted within a page.
///
/// The compiler does not see the accesses, so it can assume nothing about them: to the other processes they are relaxed
/// atomic accesses of single bytes, in any order.
///
/// # Safety
///
/// Both ranges are valid for `count` bytes, at least 64, and do not overlap. If one of them is shared, all its other users
/// access it atomically.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn vector_copy(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: each step of the loop copies 64 bytes, `count / 64` times; the last one, which may overlap with the step
    // before, copies the last 64 bytes. The caller vouches for both ranges. The loop runs at least once.
    unsafe {
        std::arch::asm!(
            "2:",
            "movups {a}, [{from}]",
            "movups {b}, [{from} + 16]",
            "movups {c}, [{from} + 32]",
            "movups {d}, [{from} + 48]",
            "movups [{to}], {a}",
            "movups [{to} + 16], {b}",
            "movups [{to} + 32], {c}",
            "movups [{to} + 48], {d}",
            "add {from}, 64",
            "add {to}, 64",
            "dec {steps}",
            "jnz 2b",
            "movups {a}, [{from_last}]",
            "movups {b}, [{from_last} + 16]",
            "movups {c}, [{from_last} + 32]",
            "movups {d}, [{from_last} + 48]",
            "movups [{to_last}], {a}",
            "movups [{to_last} + 16], {b}",
            "movups [{to_last} + 32], {c}",
            "movups [{to_last} + 48], {d}",
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            steps = inout(reg) count / 64 => _,
            from_last = in(reg) from.add(count - 64),
            to_last = in(reg) to.add(count - 64),
            options(nostack)
        );
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
    Ok(unsafe { File::from_raw_fd(raw) })
}

/// Returns `EFBIG` for a size above the process's file-size limit, where the kernel would raise SIGXFSZ: memory files count
/// as files.
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
