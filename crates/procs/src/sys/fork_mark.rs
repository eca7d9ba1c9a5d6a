//! Marks that distinguish a process from its forked copies.

use std::process;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Set in the process that made it, clear in every copy of that process, however it was forked.
pub(crate) enum ForkMark {
    /// A word that is 1 here and 0 in a copy.
    Word(&'static AtomicU64),
    /// The kernel cannot clear memory in copies: the process's id.
    Pid(u32),
}

impl ForkMark {
    /// Marks this process. The mark's memory is kept until the process ends.
    pub(crate) fn new() -> Self {
        let Some(word) = word_cleared_by_fork() else {
            return Self::Pid(process::id());
        };
        word.store(1, Relaxed);
        Self::Word(word)
    }

    /// Returns whether this is the process that was marked, and not a copy of it.
    pub(crate) fn is_original(&self) -> bool {
        match self {
            Self::Word(word) => word.load(Relaxed) != 0,
            Self::Pid(pid) => *pid == process::id(),
        }
    }
}

/// Returns a new word, at first 0, which the kernel sets to 0 in every forked copy of this process. It is never freed.
///
/// `None`: there is no memory, or the kernel is older than 4.14.
pub(super) fn word_cleared_by_fork() -> Option<&'static AtomicU64> {
    const SIZE: usize = size_of::<AtomicU64>();
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
    // SAFETY: the mapping is page-aligned, zeroed, writable, never unmapped, and only accessed as this atomic.
    Some(unsafe { AtomicU64::from_ptr(start.cast()) })
}
