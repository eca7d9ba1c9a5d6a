//! A lock in shared memory that passes to the next thread when its owner dies.
//!
//! The lock is one word in shared memory, which holds the thread id of its owner. The kernel keeps a list of the words that
//! a thread owns (`set_robust_list(2)`), and marks each of them when the thread dies. The C library has such a list for
//! its robust mutexes, whose nodes lie *inside* the shared mutexes: a process that overwrites one makes others write
//! through wild pointers when they unlock. Here the nodes lie in a page that is private to each process. The kernel
//! demands a fixed distance between a node and its word, so the private page follows the shared one in memory, and the
//! words lie at the end of the shared page:
//!
//! ```text
//!  … shared page                word 0   word 1 | node 0        node 1        … private page
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | 0 | nobody owns the lock |
//! | thread id | a thread owns it |
//! | thread id, [`WAITERS`] | a thread owns it, others sleep until it is free |
//! | [`OWNER_DIED`], perhaps [`WAITERS`] | the owner died; the next owner gets [`Acquired::OwnerDied`] |
//!
//! | from | event | to |
//! |---|---|---|
//! | 0 | `try_lock` | thread id |
//! | thread id | a thread is about to sleep | thread id, `WAITERS` |
//! | thread id, perhaps `WAITERS` | `unlock` | 0, and a wake-up if there was `WAITERS` |
//! | thread id, perhaps `WAITERS` | the kernel buries the owner | `OWNER_DIED`, and a wake-up if there was `WAITERS` |
//! | `OWNER_DIED`, perhaps `WAITERS` | `try_lock` | thread id, perhaps `WAITERS` |
//!
//! What is written into the word by a process that does not keep these rules can make the lock stay locked, or let two
//! threads in. It cannot make a process read or write anything else: no pointer is read from shared memory.
//!
//! A lock word of `lock_word` needs no node, but a thread can hold only one such lock, and only briefly.

use std::cell::Cell;
use std::hint;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::Once;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicUsize, compiler_fence};
use std::thread;
use std::time::{Duration, Instant};

use super::futex::{SPINS, futex_sleep, futex_wake_up};
use super::lock_word::Acquired;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("procs needs a 64-bit system: its list nodes lie as those of a 64-bit C library");

/// Set by the kernel when the owner has died.
const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;
/// Set when threads sleep until the lock is free.
const WAITERS: u32 = libc::FUTEX_WAITERS;
/// The bits of the owner's thread id.
const OWNER: u32 = libc::FUTEX_TID_MASK;

/// From a list node to its word, in bytes. The C library has registered one distance for the whole list.
const WORD_FROM_NODE: isize = if cfg!(target_env = "musl") { -28 } else { -32 };

/// The largest thread id that Linux gives (`PID_MAX_LIMIT`).
pub(crate) const MAX_THREAD_ID: u32 = 1 << 22;

/// The number of locks in the last page of a map.
pub(crate) const LOCKS_PER_PAGE: usize = 2;

/// Longest single sleep. A thread that was woken and killed before it could lock may leave others asleep.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The head of a thread's list, in the kernel's layout.
#[repr(C)]
struct ListHead {
    first: AtomicUsize,
    word_from_node: isize,
    /// The node that is being added or removed. The kernel looks at its word too.
    pending: AtomicUsize,
}

/// A list node. Pointers in the list are addresses of `next`; the C library expects `previous` right before it.
#[repr(C)]
struct Node {
    previous: AtomicUsize,
    next: AtomicUsize,
}

/// What lies at the start of a private page.
#[repr(C)]
struct PrivatePage {
    nodes: [Node; LOCKS_PER_PAGE],
    /// The thread of this process that owns the lock, and has the node in its list; 0: none. No other process can change
    /// it, so a node is never in two lists. A forked child finds the parent's thread here.
    owners: [AtomicU32; LOCKS_PER_PAGE],
    /// For the owner's use.
    depth: AtomicU32,
}

/// The calling thread.
#[derive(Clone, Copy)]
struct Thread {
    id: u32,
    list: *const ListHead,
}

const UNKNOWN: Thread = Thread {
    id: 0,
    list: ptr::null(),
};

thread_local! {
    static THREAD: Cell<Thread> = const { Cell::new(UNKNOWN) };
}

#[inline]
fn this_thread() -> Thread {
    match THREAD.get() {
        Thread { id: 0, .. } => look_up_this_thread(),
        thread => thread,
    }
}

#[cold]
fn look_up_this_thread() -> Thread {
    static AT_FORK: Once = Once::new();
    // A forked child has one thread, with another id, and the C library has emptied its list.
    AT_FORK.call_once(|| {
        // SAFETY: the handler is a function that touches nothing but a thread-local cell.
        unsafe { libc::pthread_atfork(None, None, Some(forget_this_thread)) };
    });
    // SAFETY: gettid has no arguments and cannot fail.
    let id = unsafe { libc::gettid() }.cast_unsigned();
    let thread = Thread {
        id,
        list: registered_list().unwrap_or_else(register_list),
    };
    THREAD.set(thread);
    thread
}

extern "C" fn forget_this_thread() {
    THREAD.set(UNKNOWN);
}

/// The list that the C library has registered for this thread.
fn registered_list() -> Option<*const ListHead> {
    let mut list: *const ListHead = ptr::null();
    let mut length = 0_usize;
    // SAFETY: 0 is the calling thread; both pointers are to live values of the types that the kernel writes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_get_robust_list,
            libc::c_long::from(0),
            &raw mut list,
            &raw mut length,
        )
    };
    let is_known = result == 0 && length == size_of::<ListHead>() && !list.is_null();
    // SAFETY: the kernel returns what the C library has registered, which lives as long as the thread.
    let fits = is_known && unsafe { (*list).word_from_node } == WORD_FROM_NODE;
    fits.then_some(list)
}

/// Registers a list for a thread without one: the C library makes lists late, or this is a copy of a thread that it does
/// not know of. The list must live as long as the thread, and is never freed.
fn register_list() -> *const ListHead {
    let head = Box::leak(Box::new(ListHead {
        first: AtomicUsize::new(0),
        word_from_node: WORD_FROM_NODE,
        pending: AtomicUsize::new(0),
    }));
    // An empty list is one that leads back to its head.
    let address = ptr::from_ref(head).expose_provenance();
    head.first.store(address, Relaxed);
    let length = size_of::<ListHead>();
    // SAFETY: the head is live for ever, and describes an empty list. On an error dead owners are not noticed.
    unsafe { libc::syscall(libc::SYS_set_robust_list, ptr::from_ref(head), length) };
    head
}

/// The field that a pointer of a list points to.
///
/// # Safety
///
/// `pointer` comes from a list of the calling thread, or is the address of its head.
unsafe fn next_of<'a>(pointer: usize) -> &'a AtomicUsize {
    // The lowest bit marks a mutex with priority inheritance.
    let place = ptr::with_exposed_provenance_mut(pointer & !1);
    // SAFETY: nodes and heads begin, where list pointers point, with an aligned pointer that lives as long as it is listed.
    unsafe { AtomicUsize::from_ptr(place) }
}

impl Thread {
    fn list(&self) -> &ListHead {
        // SAFETY: a thread's list lives as long as the thread, and this is its thread: the value never leaves it.
        unsafe { &*self.list }
    }

    fn head(&self) -> usize {
        self.list.expose_provenance()
    }

    /// Announces that a node is about to be added or removed.
    fn begin(&self, node: &Node) {
        self.list()
            .pending
            .store(ptr::from_ref(&node.next).expose_provenance(), Relaxed);
        compiler_fence(SeqCst);
    }

    fn end(&self) {
        compiler_fence(SeqCst);
        self.list().pending.store(0, Relaxed);
    }

    /// Adds a node at the front of the list.
    fn add(&self, node: &Node) {
        let address = ptr::from_ref(&node.next).expose_provenance();
        let first = self.list().first.load(Relaxed);
        node.previous.store(self.head(), Relaxed);
        node.next.store(first, Relaxed);
        self.set_previous(first, address);
        // The node is whole before it is in the list, also for a thread that is killed here.
        compiler_fence(SeqCst);
        self.list().first.store(address, Relaxed);
    }

    /// Takes a node out of the list.
    fn remove(&self, node: &Node) {
        let (previous, next) = (node.previous.load(Relaxed), node.next.load(Relaxed));
        self.set_previous(next, previous);
        // SAFETY: the node is in this thread's list, and so is the node before it, or it is the head. Both pointers lie in
        // memory of this process alone.
        unsafe { next_of(previous) }.store(next, Relaxed);
        compiler_fence(SeqCst);
    }

    /// Sets the pointer of a node, unless it is the head, to the node before it.
    fn set_previous(&self, pointer: usize, previous: usize) {
        if pointer & !1 != self.head() {
            let before = pointer - (offset_of!(Node, next) - offset_of!(Node, previous));
            // SAFETY: the node is in this thread's list, and every C library that keeps a list in both directions has the
            // pointer to the node before right there.
            unsafe { next_of(before) }.store(previous, Relaxed);
        }
    }
}

/// The result of waiting for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockResult {
    /// The calling thread owns the lock.
    Locked(Acquired),
    /// The deadline has passed.
    TimedOut,
    /// The caller's check of the memory has failed.
    Broken,
}

/// A lock at the end of a shared page.
#[derive(Clone, Copy)]
pub(crate) struct RobustLock<'a> {
    word: &'a AtomicU32,
    node: &'a Node,
    owner: &'a AtomicU32,
    depth: &'a AtomicU32,
}

impl<'a> RobustLock<'a> {
    /// # Safety
    ///
    /// `page` is the address of the private page of a [`LockPage`] that lives for `'a`.
    #[inline]
    unsafe fn at(page: NonNull<u8>, number: usize) -> Self {
        // SAFETY: a page holds a `PrivatePage`, is aligned for it, and zeroes are a valid value of its atomics.
        let private = unsafe { page.cast::<PrivatePage>().as_ref() };
        let node = &private.nodes[number];
        let word = ptr::from_ref(&node.next)
            .cast::<u8>()
            .wrapping_offset(WORD_FROM_NODE);
        Self {
            // SAFETY: the word lies in the last bytes of the shared page before this one, aligned to four bytes, and all
            // access to it is atomic.
            word: unsafe { AtomicU32::from_ptr(word.cast_mut().cast()) },
            node,
            owner: &private.owners[number],
            depth: &private.depth,
        }
    }

    /// Locks if no living thread owns the lock. `None`: one does.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Acquired> {
        let thread = this_thread();
        thread.begin(self.node);
        let outcome = self.claim(thread, 0);
        thread.end();
        outcome
    }

    /// Puts this thread into the word and the node into its list.
    #[inline]
    fn claim(&self, thread: Thread, flags: u32) -> Option<Acquired> {
        let outcome = self.claim_word(thread, flags)?;
        // Acquire: pairs with the release of `unlock`, for the node.
        let is_free = self
            .owner
            .compare_exchange(0, thread.id, Acquire, Relaxed)
            .is_ok();
        if is_free || self.take_over_node(thread) {
            thread.add(self.node);
            Some(outcome)
        } else {
            None
        }
    }

    /// Takes over the node of a thread that died, or that is in the process of which this one is a copy. False: the thread
    /// lives, and owns the lock: another process has overwritten the word, which is put right.
    #[cold]
    fn take_over_node(&self, thread: Thread) -> bool {
        let owner = self.owner.load(Relaxed);
        if is_thread_of_this_process(owner) {
            self.word.store(owner | WAITERS, Relaxed);
            return false;
        }
        self.owner
            .compare_exchange(owner, thread.id, Acquire, Relaxed)
            .is_ok()
    }

    #[inline]
    fn claim_word(&self, thread: Thread, flags: u32) -> Option<Acquired> {
        // Acquire: pairs with the release of `unlock`.
        match self
            .word
            .compare_exchange(0, thread.id | flags, Acquire, Relaxed)
        {
            Ok(_) => Some(Acquired::Clean),
            Err(seen) => self.claim_of_dead(thread, flags, seen),
        }
    }

    #[cold]
    fn claim_of_dead(&self, thread: Thread, flags: u32, mut seen: u32) -> Option<Acquired> {
        while seen & OWNER_DIED != 0 || seen == 0 {
            let outcome = match seen {
                0 => Acquired::Clean,
                _ => Acquired::OwnerDied,
            };
            let new = thread.id | (seen & WAITERS) | flags;
            match self.word.compare_exchange(seen, new, Acquire, Relaxed) {
                Ok(_) => return Some(outcome),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// Locks; waits while another thread owns the lock. `is_intact` is called before each sleep with the owner's thread id,
    /// and returns whether the memory is still what it should be. A thread that owns the lock waits for itself.
    pub(crate) fn lock(
        &self,
        deadline: Option<Instant>,
        is_intact: impl FnMut(u32) -> bool,
    ) -> LockResult {
        for turn in 0..24 {
            match self.try_lock() {
                Some(outcome) => return LockResult::Locked(outcome),
                // The owner is about to unlock, unless there are more threads than processors.
                None if turn < 4 => (0..SPINS).for_each(|_| hint::spin_loop()),
                None => thread::yield_now(),
            }
        }
        let thread = this_thread();
        thread.begin(self.node);
        let result = self.lock_asleep(thread, deadline, is_intact);
        thread.end();
        result
    }

    fn lock_asleep(
        &self,
        thread: Thread,
        deadline: Option<Instant>,
        mut is_intact: impl FnMut(u32) -> bool,
    ) -> LockResult {
        // Other threads may still sleep, so the flag for them is set again.
        let mut flags = 0;
        loop {
            if let Some(outcome) = self.claim(thread, flags) {
                return LockResult::Locked(outcome);
            }
            if !is_intact(self.word.load(Relaxed) & OWNER) {
                return LockResult::Broken;
            }
            let left = deadline.map_or(RECHECK_INTERVAL, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                self.pass_wake_on(flags);
                return LockResult::TimedOut;
            }
            let seen = self.word.load(Relaxed);
            let marked = seen | WAITERS;
            if seen == 0 || seen & OWNER_DIED != 0 {
                continue;
            }
            if seen == marked
                || self
                    .word
                    .compare_exchange(seen, marked, Relaxed, Relaxed)
                    .is_ok()
            {
                futex_sleep(self.word, marked, left.min(RECHECK_INTERVAL));
                flags = WAITERS;
            }
        }
    }

    /// Leaves a wake-up, which this thread may have taken, to another sleeper.
    fn pass_wake_on(&self, flags: u32) {
        if flags == 0 {
            return;
        }
        let seen = self.word.load(Relaxed);
        let is_marked = seen & WAITERS != 0;
        let mark = || {
            self.word
                .compare_exchange(seen, seen | WAITERS, Relaxed, Relaxed)
        };
        if seen == 0 || (!is_marked && mark().is_err()) {
            futex_wake_up(self.word, 1);
        }
    }

    /// Unlocks, if this thread owns the lock: a forked child that drops its copy of a guard does not. False: another process
    /// has overwritten the word.
    #[inline]
    #[must_use]
    pub(crate) fn unlock(&self) -> bool {
        let thread = this_thread();
        if self.owner.load(Relaxed) != thread.id {
            return true;
        }
        thread.begin(self.node);
        thread.remove(self.node);
        // Release: the next thread of this process to use the node finds it as it is left here.
        self.owner.store(0, Release);
        // Release: what was changed under the lock is seen by the next owner.
        let is_intact = match self.word.compare_exchange(thread.id, 0, Release, Relaxed) {
            Ok(_) => true,
            Err(seen) => self.unlock_contended(thread, seen),
        };
        thread.end();
        is_intact
    }

    #[cold]
    fn unlock_contended(&self, thread: Thread, seen: u32) -> bool {
        let is_intact = seen & OWNER == thread.id;
        if is_intact {
            self.word.swap(0, Release);
        }
        futex_wake_up(self.word, 1);
        is_intact
    }

    /// Whether the calling thread owns the lock.
    #[inline]
    pub(crate) fn is_owned(&self) -> bool {
        self.owner.load(Relaxed) == this_thread().id
    }

    /// A number in private memory for the owner's use.
    pub(crate) fn depth(&self) -> &'a AtomicU32 {
        self.depth
    }
}

/// Whether a thread with this id exists. Threads of other process-id namespaces seem not to exist.
pub(crate) fn thread_exists(id: u32) -> bool {
    // SAFETY: kill takes two integers, and signal 0 only looks for the thread.
    let result = unsafe { libc::kill(id.cast_signed(), 0) };
    result == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

fn is_thread_of_this_process(id: u32) -> bool {
    // SAFETY: getpid has no arguments; tgkill takes three integers, and signal 0 only looks for the thread.
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

/// Whether a lock's word, which other processes may have changed, is that of a dead owner.
pub(crate) fn says_owner_died(word: &AtomicU32) -> bool {
    word.load(Acquire) & OWNER_DIED != 0
}

/// Whether no thread owns a lock, or its owner has died.
pub(crate) fn says_unowned(word: &AtomicU32) -> bool {
    matches!(word.load(Acquire), 0) || says_owner_died(word)
}

/// Frees a lock whose owner has died. False: its owner is alive, or there is none.
pub(crate) fn clear_dead_owner(word: &AtomicU32) -> bool {
    let clear = |seen| (seen & OWNER_DIED != 0).then_some(0);
    word.fetch_update(Acquire, Relaxed, clear).is_ok()
}

/// Where the words of the locks lie at the end of a page, as an offset from the start of the page.
pub(crate) fn lock_word_offset(number: usize) -> usize {
    let next = number * size_of::<Node>() + offset_of!(Node, next);
    (page_size() + next).wrapping_add_signed(WORD_FROM_NODE)
}

/// The size of a page of memory in bytes.
pub(crate) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Relaxed) {
        0 => {
            // SAFETY: sysconf takes an integer and touches no memory.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let size = usize::try_from(size).unwrap_or(4096);
            SIZE.store(size, Relaxed);
            size
        }
        size => size,
    }
}

/// One page of a memory file, mapped so that a private page follows it: the last bytes of the shared page are two locks.
pub(crate) struct LockPage {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the map is plain memory that belongs to no thread; all access to it is atomic.
unsafe impl Send for LockPage {}
// SAFETY: as above.
unsafe impl Sync for LockPage {}

impl LockPage {
    /// Maps the page at this offset of a file, which is as long and sealed against shrinking.
    pub(crate) fn new(file: BorrowedFd<'_>, offset: usize) -> io::Result<Self> {
        let size = page_size();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe { libc::mmap(ptr::null_mut(), 2 * size, protection, anonymous, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let page = Self {
            start: NonNull::new(start.cast())
                .ok_or_else(|| io::Error::other("the kernel mapped address zero"))?,
            size,
        };
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the range is the first half of the mapping that was made above, of which nothing is in use yet.
        let mapped =
            unsafe { libc::mmap(start, size, protection, flags, file.as_raw_fd(), offset) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(page)
    }

    /// One of the locks at the end of the page.
    #[inline]
    pub(crate) fn lock(&self, number: usize) -> RobustLock<'_> {
        // SAFETY: the private page follows the shared one, and both live as long as self.
        unsafe { RobustLock::at(self.start.add(self.size), number) }
    }

    /// The word of four bytes that ends `distance` bytes before the end of the shared page.
    #[inline]
    pub(crate) fn word_before_end(&self, distance: usize) -> &AtomicU32 {
        assert!(
            distance.is_multiple_of(4) && 4 <= distance && distance <= self.size,
            "word outside the page"
        );
        // SAFETY: the offset was checked to be aligned and inside the page, which lives as long as self; all access to it
        // is atomic.
        unsafe { AtomicU32::from_ptr(self.start.add(self.size - distance).as_ptr().cast()) }
    }

    /// Whether a thread of this process owns a lock of the page, or has died with it.
    pub(crate) fn is_listed(&self) -> bool {
        (0..LOCKS_PER_PAGE).any(|number| self.lock(number).owner.load(Relaxed) != 0)
    }
}

impl Drop for LockPage {
    fn drop(&mut self) {
        if self.is_listed() {
            // A guard was forgotten: the kernel follows the list of its thread, so the page must stay.
            return;
        }
        // SAFETY: the range is what mmap has returned, and every borrow of it has ended with self.
        unsafe { libc::munmap(self.start.as_ptr().cast(), 2 * self.size) };
    }
}
