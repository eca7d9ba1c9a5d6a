//! A mark that distinguishes a process from its forked copies.

use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Set in the process that made it, clear in every copy of that process, however it was forked.
pub(crate) enum ForkMark {
    /// A word in a page that the kernel zeroes in a copy.
    Word(&'static AtomicU32),
    /// The kernel does not do that: the process's id.
    Pid(u32),
}

impl ForkMark {
    /// Marks this process. The mark's memory is kept until the process ends.
    pub(crate) fn new() -> Self {
        wiped_word().map_or_else(|| Self::Pid(process::id()), Self::Word)
    }

    /// Whether this is the process that was marked, and not a copy of it.
    pub(crate) fn is_original(&self) -> bool {
        match self {
            Self::Word(word) => word.load(Relaxed) != 0,
            Self::Pid(pid) => *pid == process::id(),
        }
    }
}

/// A word that is 1 here and 0 in a forked copy.
fn wiped_word() -> Option<&'static AtomicU32> {
    const SIZE: usize = size_of::<AtomicU32>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice overlaps nothing.
    let start = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range is the mapping made above, which holds nothing yet.
    if unsafe { libc::madvise(start, SIZE, libc::MADV_WIPEONFORK) } != 0 {
        // SAFETY: the range is exactly what mmap returned, and no reference to it exists.
        unsafe { libc::munmap(start, SIZE) };
        return None;
    }
    // SAFETY: the mapping is page-aligned, writable, never unmapped, and only reached as this atomic.
    let word = unsafe { AtomicU32::from_ptr(start.cast()) };
    word.store(1, Relaxed);
    Some(word)
}
