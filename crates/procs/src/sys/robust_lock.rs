//! A lock in shared memory that passes to the next thread when its owner dies.
//!
//! The lock is one word in shared memory, which holds the thread id of its owner. Each thread has a list of the words that
//! it owns (see `robust_list`), and the kernel marks each of them when the thread dies. The list nodes of the C library's
//! robust mutexes lie *inside* the shared mutexes: a process that overwrites one makes others write through wild pointers
//! when they unlock. Here the nodes lie in a page that is private to each process. The kernel demands a fixed distance
//! between a node and its word. So the private page follows the shared one in memory, and the words lie at the end of the
//! shared page:
//!
//! ```text
//!  … shared page                word 0   word 1 | node 0        node 1        … private page
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | 0 | no thread owns the lock |
//! | thread id | a thread owns it |
//! | thread id, [`WAITERS`] | a thread owns it, others sleep until it is free |
//! | [`OWNER_DIED`], perhaps [`WAITERS`] | the owner died; the next owner gets [`Acquired::OwnerDied`] |
//!
//! | from | event | to |
//! |---|---|---|
//! | 0 | `try_lock` | thread id |
//! | thread id | a thread is about to sleep | thread id, `WAITERS` |
//! | thread id, perhaps `WAITERS` | `unlock` | 0, and a wake-up if there was `WAITERS` |
//! | thread id, perhaps `WAITERS` | the owner dies: the kernel marks the word | `OWNER_DIED`, and a wake-up if there was `WAITERS` |
//! | `OWNER_DIED`, perhaps `WAITERS` | `try_lock` | thread id, perhaps `WAITERS` |
//!
//! A process that overwrites the word can make the lock stay locked, or let two threads own it. It cannot make another
//! process access a wrong address, because no pointer is read from shared memory.
//!
//! The locks of `lock_word` need no nodes, but a thread can hold only one of them, and only briefly.

use std::hint;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::thread;
use std::time::{Duration, Instant};

use super::futex::{SPINS, futex_sleep, futex_wake_up};
use super::owner_word::{Acquired, OWNER, OWNER_DIED, WAITERS, is_thread_of_this_process};
use super::robust_list::{NODE_ENTRY, Node, Thread, WORD_FROM_NODE, this_thread};

/// The number of locks in the last page of a map.
pub(crate) const LOCKS_PER_PAGE: usize = 2;

/// Longest single sleep. A thread that is killed between its wake-up and its lock leaves others asleep, so they recheck.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The start of a private page.
#[repr(C)]
struct PrivatePage {
    nodes: [Node; LOCKS_PER_PAGE],
    /// The thread of this process that owns the lock and has the node in its list; 0: none. No other process can change it,
    /// so a node is never in two lists. A forked child inherits the id of its parent's thread.
    owners: [AtomicU32; LOCKS_PER_PAGE],
    /// The owner's count of nested locks.
    depth: AtomicU32,
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

/// One of the locks at the end of a shared page.
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
        let word = ptr::from_ref(node)
            .cast::<u8>()
            .wrapping_add(NODE_ENTRY)
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

    /// Locks, unless a living thread owns the lock: then returns `None`.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Acquired> {
        let thread = this_thread();
        thread.begin(self.node);
        let outcome = self.claim(thread, 0);
        thread.end();
        outcome
    }

    /// Stores this thread in the word, and adds the node to its list.
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

    /// Takes over the node of a thread that has died, or that belongs to the process of which this one is a forked copy.
    /// False: the thread lives and owns the lock, and another process has overwritten the word. The word is then restored.
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

    /// Locks. Waits while another thread owns the lock; a thread that already owns it waits for ever.
    ///
    /// `is_intact` is called before each sleep with the owner's thread id. It returns whether the shared memory is intact.
    pub(crate) fn lock(
        &self,
        deadline: Option<Instant>,
        is_intact: impl FnMut(u32) -> bool,
    ) -> LockResult {
        for turn in 0..24 {
            match self.try_lock() {
                Some(outcome) => return LockResult::Locked(outcome),
                // The owner is about to unlock, unless there are more runnable threads than processors.
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
        // Set after the first sleep, because other threads may still sleep.
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

    /// Passes a wake-up, which this thread may have consumed, on to another sleeper.
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

    /// Unlocks, if this thread owns the lock. A forked child that drops its copy of a guard does not own it. False: another
    /// process has overwritten the word.
    #[inline]
    #[must_use]
    pub(crate) fn unlock(&self) -> bool {
        let thread = this_thread();
        if self.owner.load(Relaxed) != thread.id {
            return true;
        }
        thread.begin(self.node);
        thread.remove(self.node);
        // Release: the next thread of this process that uses the node sees these changes to it.
        self.owner.store(0, Release);
        // Release: the next owner sees all changes that were made under the lock.
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

    /// Returns whether the calling thread owns the lock.
    #[inline]
    pub(crate) fn is_owned(&self) -> bool {
        self.owner.load(Relaxed) == this_thread().id
    }

    /// Returns the owner's count of nested locks, which lies in private memory.
    pub(crate) fn depth(&self) -> &'a AtomicU32 {
        self.depth
    }
}

/// Returns the offset of a lock's word from the start of its page.
pub(crate) fn lock_word_offset(number: usize) -> usize {
    let entry = number * size_of::<Node>() + NODE_ENTRY;
    (page_size() + entry).wrapping_add_signed(WORD_FROM_NODE)
}

/// Returns the size of a page of memory in bytes.
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

/// One page of a memory file, mapped so that a private page follows it. The last bytes of the shared page are the words of
/// two locks.
pub(crate) struct LockPage {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the map is plain memory that belongs to no thread; all access to it is atomic.
unsafe impl Send for LockPage {}
// SAFETY: as above.
unsafe impl Sync for LockPage {}

impl LockPage {
    /// Maps the page at this offset of a file, which is long enough and sealed against shrinking.
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

    /// Returns one of the locks at the end of the page.
    #[inline]
    pub(crate) fn lock(&self, number: usize) -> RobustLock<'_> {
        // SAFETY: the private page follows the shared one, and both live as long as self.
        unsafe { RobustLock::at(self.start.add(self.size), number) }
    }

    /// Returns the 32-bit word that begins `distance` bytes before the end of the shared page.
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

    /// Returns whether a thread of this process owns a lock of the page, or died while it owned one.
    pub(crate) fn is_listed(&self) -> bool {
        (0..LOCKS_PER_PAGE).any(|number| self.lock(number).owner.load(Relaxed) != 0)
    }
}

impl Drop for LockPage {
    fn drop(&mut self) {
        if self.is_listed() {
            // A guard was forgotten. The node is still in a thread's list, which the kernel follows, so the page must stay.
            return;
        }
        // SAFETY: the range is what mmap has returned, and every borrow of it has ended with self.
        unsafe { libc::munmap(self.start.as_ptr().cast(), 2 * self.size) };
    }
}
