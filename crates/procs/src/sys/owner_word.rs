//! The futex word of a lock, as the kernel's robust futexes define it: the owner's thread id and two flag bits.

use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// Set by the kernel when the owner has died.
pub(super) const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;
/// Set while threads sleep until the lock is free.
pub(super) const WAITERS: u32 = libc::FUTEX_WAITERS;
/// The bits of the owner's thread id.
pub(super) const OWNER: u32 = libc::FUTEX_TID_MASK;

/// The largest thread id that Linux can give (`PID_MAX_LIMIT`).
pub(crate) const MAX_THREAD_ID: u32 = 1 << 22;

/// State of a lock that was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The last owner released it.
    Clean,
    /// The last owner died while it held the lock.
    OwnerDied,
}

/// Returns the id of the calling thread.
pub(super) fn thread_id() -> u32 {
    // SAFETY: gettid has no arguments and cannot fail.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// Returns whether a thread with this id exists. Threads of other process-id namespaces seem not to exist.
pub(crate) fn thread_exists(id: u32) -> bool {
    // SAFETY: kill takes two integers, and signal 0 is never delivered.
    let result = unsafe { libc::kill(id.cast_signed(), 0) };
    result == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Returns whether a thread of this process has this id.
pub(super) fn is_thread_of_this_process(id: u32) -> bool {
    // SAFETY: getpid has no arguments; tgkill takes three integers, and signal 0 is never delivered.
    let result = unsafe {
        libc::syscall(
            libc::SYS_tgkill,
            libc::c_long::from(libc::getpid()),
            libc::c_long::from(id),
            libc::c_long::from(0),
        )
    };
    result == 0
}

/// Returns whether the word is that of a dead owner. Other processes may have overwritten it.
pub(crate) fn says_owner_died(word: &AtomicU32) -> bool {
    word.load(Acquire) & OWNER_DIED != 0
}

/// Returns whether no thread owns the lock, or its owner has died.
pub(crate) fn says_unowned(word: &AtomicU32) -> bool {
    matches!(word.load(Acquire), 0) || says_owner_died(word)
}

/// Frees a lock whose owner has died. False: its owner is alive, or it has none.
pub(crate) fn clear_dead_owner(word: &AtomicU32) -> bool {
    let clear = |seen| (seen & OWNER_DIED != 0).then_some(0);
    word.fetch_update(Acquire, Relaxed, clear).is_ok()
}
