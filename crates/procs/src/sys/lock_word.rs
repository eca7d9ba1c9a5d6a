//! A lock in one futex word of shared memory, which survives the death of its owner.
//!
//! The word holds the owner's thread id and two flag bits, as the kernel's *robust futexes* do:
//!
//! | word | meaning |
//! |---|---|
//! | 0 | free |
//! | thread id | held, no thread sleeps |
//! | thread id, `WAITERS` | held; the release wakes one sleeping thread |
//! | `OWNER_DIED`, maybe `WAITERS` | the kernel released it, because its owner ended while it held the lock |
//!
//! The kernel finds the word of a dying thread through the pending field of the thread's robust list. That field lies in
//! the thread's private memory. Shared memory contains no addresses, so a process that overwrites it cannot make another
//! one access a wrong address. (The list of a robust `pthread_mutex_t` lies inside the mutexes, and unlocking one writes
//! through its pointers.)
//!
//! The field holds one entry. So a thread can hold only one such lock, and must not use a robust `pthread_mutex_t` while it
//! does. Critical sections are therefore short and call no code of the user.

use std::cell::Cell;
use std::hint;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, compiler_fence};
use std::thread;
use std::time::{Duration, Instant};

use super::fork_mark::word_cleared_by_fork;
use super::futex::{SPINS, futex_sleep, futex_wake_up};
use super::owner_word::{
    Acquired, MAX_THREAD_ID, OWNER, OWNER_DIED, WAITERS, thread_exists, thread_id,
};
use super::robust_list::{self, ListHead, WORD_FROM_NODE};

/// Longest single sleep for the lock. After each sleep, the thread checks that the owner exists.
const OWNER_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Number of consecutive checks without a living owner after which the word counts as overwritten. The kernel releases the
/// lock of a dead owner at once.
const MISSING_OWNER_CHECKS: u32 = 5;

/// Reason why a lock was not acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcquireError {
    TimedOut,
    /// The owner in the word does not exist, or is this thread: a process has overwritten the word.
    Overwritten,
}

/// Values that a thread needs for each acquisition.
#[derive(Clone, Copy)]
struct ThreadRecord {
    list: *const ListHead,
    id: u32,
    /// The process's generation when the record was made. Zero: no record.
    generation: u64,
}

thread_local! {
    static RECORD: Cell<ThreadRecord> = const {
        Cell::new(ThreadRecord { list: ptr::null(), id: 0, generation: 0 })
    };
}

/// Returns the word of the process's generation, a number that differs between a process and its forked copies.
fn generation_word() -> &'static AtomicU64 {
    static WORD: OnceLock<&'static AtomicU64> = OnceLock::new();
    // Used where the kernel cannot clear the word in copies: a copy then has its parent's generation.
    static FALLBACK: AtomicU64 = AtomicU64::new(0);
    WORD.get_or_init(|| word_cleared_by_fork().unwrap_or(&FALLBACK))
}

fn current_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let word = generation_word();
    match word.load(Relaxed) {
        // Zero in a new process. A fork copies `NEXT`, so the copy gets a number that its parent has not had.
        0 => {
            let next = NEXT.fetch_add(1, Relaxed);
            match word.compare_exchange(0, next, Relaxed, Relaxed) {
                Ok(_) => next,
                Err(other) => other,
            }
        }
        generation => generation,
    }
}

/// Returns the calling thread's record. Makes it at the first call in the thread and after a fork.
#[inline]
fn record() -> ThreadRecord {
    let record = RECORD.get();
    if record.generation != 0 && record.generation == generation_word().load(Relaxed) {
        record
    } else {
        make_record()
    }
}

#[cold]
fn make_record() -> ThreadRecord {
    let record = ThreadRecord {
        list: robust_list::of_this_thread(),
        id: thread_id(),
        generation: current_generation(),
    };
    RECORD.set(record);
    record
}

impl ThreadRecord {
    /// Announces to the kernel the word that this thread is about to acquire, holds, or has just released.
    #[inline]
    fn announce(self, word: &AtomicU32) {
        // The kernel adds the distance from a node to its word again; nothing else uses this address.
        let entry = ptr::from_ref(word)
            .addr()
            .wrapping_add_signed(-WORD_FROM_NODE);
        // SAFETY: the list is the calling thread's. The C library uses the field only in its functions for robust mutexes,
        // none of which runs until `withdraw` (see the module).
        unsafe { robust_list::set_pending(self.list, entry) };
    }

    #[inline]
    fn withdraw(self) {
        // SAFETY: as in `announce`.
        unsafe { robust_list::set_pending(self.list, 0) };
    }
}

/// Acquires the lock for the calling thread, which holds no other one of this kind. `deadline` is called only if the lock is
/// not free.
///
/// # Errors
///
/// When the deadline has passed, or the word was overwritten.
#[inline]
pub(crate) fn acquire(
    word: &AtomicU32,
    deadline: impl FnOnce() -> Option<Instant>,
) -> Result<Acquired, AcquireError> {
    let record = record();
    record.announce(word);
    if word
        .compare_exchange(0, record.id, Acquire, Relaxed)
        .is_ok()
    {
        return Ok(Acquired::Clean);
    }
    let result = acquire_slowly(word, record.id, deadline);
    if result.is_err() {
        record.withdraw();
    }
    result
}

#[cold]
fn acquire_slowly(
    word: &AtomicU32,
    id: u32,
    deadline: impl FnOnce() -> Option<Instant>,
) -> Result<Acquired, AcquireError> {
    for attempt in 0..24 {
        if let Some(acquired) = try_acquire(word, id, 0) {
            return Ok(acquired);
        }
        // The owner is about to release it, unless there are more runnable threads than processors.
        if attempt < 4 {
            (0..SPINS).for_each(|_| hint::spin_loop());
        } else {
            thread::yield_now();
        }
    }
    let deadline = deadline();
    let mut missing = 0;
    loop {
        // The flag stays set, because other threads may sleep.
        if let Some(acquired) = try_acquire(word, id, WAITERS) {
            return Ok(acquired);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(AcquireError::TimedOut);
        }
        let seen = word.fetch_or(WAITERS, Relaxed) | WAITERS;
        let owner = seen & OWNER;
        if owner > MAX_THREAD_ID || owner == id || missing > MISSING_OWNER_CHECKS {
            return Err(AcquireError::Overwritten);
        }
        if owner != 0 {
            let time = left.map_or(OWNER_CHECK_INTERVAL, |left| left.min(OWNER_CHECK_INTERVAL));
            futex_sleep(word, seen, time);
            let is_missing = word.load(Relaxed) == seen && !thread_exists(owner);
            missing = if is_missing { missing + 1 } else { 0 };
        }
    }
}

/// Acquires the lock if no thread owns it, and sets the given flags.
fn try_acquire(word: &AtomicU32, id: u32, flags: u32) -> Option<Acquired> {
    let seen = word.load(Relaxed);
    if seen & OWNER != 0 {
        return None;
    }
    let taken = id | flags | (seen & WAITERS);
    word.compare_exchange(seen, taken, Acquire, Relaxed).ok()?;
    Some(if seen & OWNER_DIED == 0 {
        Acquired::Clean
    } else {
        Acquired::OwnerDied
    })
}

/// Releases a lock that the calling thread holds. False: the word was overwritten while it was held, so other threads may
/// have acquired it too.
///
/// It is a full memory barrier: loads after it see what other threads stored before their own barriers.
#[inline]
pub(crate) fn release(word: &AtomicU32) -> bool {
    let record = record();
    let seen = word.swap(0, SeqCst);
    if seen & WAITERS != 0 {
        futex_wake_up(word, 1);
    }
    record.withdraw();
    full_barrier_after_swap();
    seen & OWNER == record.id
}

/// Full memory barrier after a sequentially consistent swap, which on x86 is one by itself.
#[inline]
fn full_barrier_after_swap() {
    if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        compiler_fence(SeqCst);
    } else {
        std::sync::atomic::fence(SeqCst);
    }
}
