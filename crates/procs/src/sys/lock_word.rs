//! A lock in one futex word of shared memory, which survives the death of its owner.
//!
//! The word holds the owner's thread id and two flag bits, as the kernel's *robust futexes* do:
//!
//! | word | meaning |
//! |---|---|
//! | 0 | free |
//! | thread id | held, no thread sleeps |
//! | thread id, `WAITERS` | held; the unlock wakes one sleeping thread |
//! | `OWNER_DIED`, maybe `WAITERS` | the kernel released it, because its owner ended while it held the lock |
//!
//! The kernel finds the word of a dying thread through `list_op_pending` of the thread's robust list, which the C library
//! has registered. That field lies in the thread's private memory. Nothing in shared memory is an address, so a process
//! that overwrites the shared memory cannot make another one access a wrong place. (The list of a robust
//! `pthread_mutex_t` lies inside the mutexes, and unlocking one writes through its pointers.)
//!
//! The price is that a thread can hold one such lock at a time, and must not use a robust `pthread_mutex_t` meanwhile:
//! critical sections are short and call no user code.

use std::cell::Cell;
use std::hint;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, compiler_fence};
use std::thread;
use std::time::{Duration, Instant};

use super::futex::{SPINS, futex_sleep, futex_wake_up};

const WAITERS: u32 = 1 << 31;
const OWNER_DIED: u32 = 1 << 30;
const OWNER: u32 = OWNER_DIED - 1;

/// The largest thread id that Linux can give (`PID_MAX_LIMIT`).
const MAX_THREAD_ID: u32 = 1 << 22;

/// Longest single sleep for the lock. After each, the sleeper verifies that the owner exists.
const OWNER_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Number of checks in a row after which an owner that does not exist is taken for an overwritten word. The kernel
/// releases the lock of a dead owner at once.
const MISSING_OWNER_CHECKS: u32 = 5;

/// State of a lock that was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The last owner released it.
    Clean,
    /// The last owner died while it held the lock.
    OwnerDied,
}

/// Reason why a lock was not acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcquireError {
    TimedOut,
    /// The word names no owner that exists, or this thread: a process has overwritten it.
    Overwritten,
}

/// `struct robust_list_head` of the kernel's interface.
#[repr(C)]
struct RobustListHead {
    list: *mut libc::c_void,
    futex_offset: libc::c_long,
    list_op_pending: *mut libc::c_void,
}

/// What a thread needs to lock words.
#[derive(Clone, Copy)]
struct ThreadRecord {
    head: *mut RobustListHead,
    id: u32,
    /// The process's generation when the record was made. Zero: no record.
    generation: u64,
}

thread_local! {
    static RECORD: Cell<ThreadRecord> = const {
        Cell::new(ThreadRecord { head: ptr::null_mut(), id: 0, generation: 0 })
    };
    /// Registered for threads for which the C library has registered none.
    static OWN_HEAD: Cell<RobustListHead> = const {
        Cell::new(RobustListHead {
            list: ptr::null_mut(),
            futex_offset: 0,
            list_op_pending: ptr::null_mut(),
        })
    };
}

/// A number that differs between a process and its forked copies.
///
/// It lies in a page that the kernel clears in every copy of the process, also in those that the C library did not make.
fn generation_word() -> &'static AtomicU64 {
    static WORD: OnceLock<&'static AtomicU64> = OnceLock::new();
    WORD.get_or_init(|| {
        // Without such a page, as on kernels before 4.14, forked copies are not told apart.
        static FALLBACK: AtomicU64 = AtomicU64::new(0);
        const SIZE: usize = size_of::<AtomicU64>();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let page = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return &FALLBACK;
        }
        // SAFETY: the advice concerns the page that was just mapped and nothing else uses.
        if unsafe { libc::madvise(page, SIZE, libc::MADV_WIPEONFORK) } < 0 {
            return &FALLBACK;
        }
        // SAFETY: the page is writable, aligned, zeroed, never unmapped, and only accessed as this atomic word.
        unsafe { AtomicU64::from_ptr(page.cast()) }
    })
}

fn current_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let word = generation_word();
    match word.load(Relaxed) {
        // Zero in a new process. `NEXT` itself is copied by a fork, so the copy gets a number that its parent has not had.
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

/// Returns the calling thread's record; makes it at the first call in the thread and after a fork.
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
    let mut head = registered_head();
    if head.is_null() {
        use_robust_mutex();
        head = registered_head();
    }
    if head.is_null() {
        head = register_own_head();
    }
    // SAFETY: gettid has no preconditions and never fails.
    let id = unsafe { libc::gettid() }.cast_unsigned();
    let record = ThreadRecord {
        head,
        id,
        generation: current_generation(),
    };
    RECORD.set(record);
    record
}

/// Returns the head of the calling thread's robust list, or null if none is registered.
fn registered_head() -> *mut RobustListHead {
    let mut head: *mut RobustListHead = ptr::null_mut();
    let mut length: libc::size_t = 0;
    // SAFETY: thread 0 is the calling one; both pointers are to live values of the types that the call writes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_get_robust_list,
            libc::c_long::from(0_i32),
            &raw mut head,
            &raw mut length,
        )
    };
    if result < 0 || length != size_of::<RobustListHead>() {
        return ptr::null_mut();
    }
    head
}

/// Locks and unlocks a robust mutex: some C libraries register a thread's list at that moment only.
fn use_robust_mutex() {
    let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
    let mut mutex = MaybeUninit::<libc::pthread_mutex_t>::uninit();
    let (attributes, mutex) = (attributes.as_mut_ptr(), mutex.as_mut_ptr());
    // SAFETY: both are writable places, initialized by the first call that gets them; the mutex is used by this thread
    // only, unlocked by its owner, and destroyed before its memory goes.
    unsafe {
        if libc::pthread_mutexattr_init(attributes) != 0 {
            return;
        }
        libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST);
        if libc::pthread_mutex_init(mutex, attributes) == 0 {
            if libc::pthread_mutex_lock(mutex) == 0 {
                libc::pthread_mutex_unlock(mutex);
            }
            libc::pthread_mutex_destroy(mutex);
        }
        libc::pthread_mutexattr_destroy(attributes);
    }
}

/// Registers an empty list for a thread that the C library has not registered, such as the first one of a forked copy.
fn register_own_head() -> *mut RobustListHead {
    let head = OWN_HEAD.with(Cell::as_ptr);
    // SAFETY: the head is this thread's, and lives until the thread has ended. An empty list points to itself. The two
    // numbers of the call are the head's address and size.
    unsafe {
        (*head).list = head.cast();
        libc::syscall(libc::SYS_set_robust_list, head, size_of::<RobustListHead>());
    }
    head
}

impl ThreadRecord {
    /// Tells the kernel which word this thread is about to lock, holds, or has just unlocked.
    #[inline]
    fn announce(self, word: &AtomicU32) {
        // SAFETY: the head is that of the calling thread and lives as long as it. The C library touches the field in its
        // own functions for robust mutexes only, none of which runs meanwhile (see the module). Volatile, because the
        // reader is the kernel. The difference is not an address that anything accesses before adding the offset again.
        unsafe {
            let pending = ptr::from_ref(word)
                .cast::<libc::c_void>()
                .wrapping_byte_offset((-(*self.head).futex_offset) as isize);
            ptr::write_volatile(&raw mut (*self.head).list_op_pending, pending.cast_mut());
        }
        // The kernel looks at a thread that executes nothing more: only the compiler could exchange the accesses.
        compiler_fence(SeqCst);
    }

    #[inline]
    fn withdraw(self) {
        compiler_fence(SeqCst);
        // SAFETY: as in `announce`.
        unsafe { ptr::write_volatile(&raw mut (*self.head).list_op_pending, ptr::null_mut()) };
    }
}

/// Acquires the lock for the calling thread, which holds no other one of this kind. `deadline` gives the latest moment;
/// it is computed only if the lock is not free.
///
/// # Errors
///
/// The time has run out, or the word was overwritten.
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
    for look in 0..24 {
        if let Some(acquired) = try_acquire(word, id, 0) {
            return Ok(acquired);
        }
        // The owner is about to release it, unless there are more runnable threads than processors.
        if look < 4 {
            (0..SPINS).for_each(|_| hint::spin_loop());
        } else {
            thread::yield_now();
        }
    }
    let deadline = deadline();
    let mut missing = 0;
    loop {
        // The flag stays set, because more threads may sleep.
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
        let nap = left.map_or(OWNER_CHECK_INTERVAL, |left| left.min(OWNER_CHECK_INTERVAL));
        if owner != 0 {
            futex_sleep(word, seen, nap);
            let is_missing = word.load(Relaxed) == seen && !thread_exists(owner);
            missing = if is_missing { missing + 1 } else { 0 };
        }
    }
}

/// Acquires the lock if no thread owns it; sets the given flags.
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

fn thread_exists(id: u32) -> bool {
    // SAFETY: signal 0 is never delivered; the call only looks for the thread.
    let result = unsafe { libc::kill(id.cast_signed(), 0) };
    result == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Releases a lock that the calling thread holds. False: the word was overwritten meanwhile, so that others may have
/// entered.
///
/// It is a full memory barrier: loads after it see what other threads stored before they, too, passed a barrier.
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

/// On x86 the swap is one by itself.
#[inline]
fn full_barrier_after_swap() {
    if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        compiler_fence(SeqCst);
    } else {
        std::sync::atomic::fence(SeqCst);
    }
}
