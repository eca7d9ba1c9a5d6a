//! The shared memory of one primitive.
//!
//! | part of the file | content |
//! |---|---|
//! | first page, from its start | the primitive's own words, the heads of its lists |
//! | first page, before its end | [`STATUS`], and the internal lock |
//! | from the second page on | slots of threads that wait or hold a permit (see [`slots`](super::slots)) |
//! | the rest | pages with the slots' locks |
//!
//! A process maps each file once, whatever the number of its handles: the thread that owns a lock is noted in that mapping.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::{Deserializer, Serializer, de};

use crate::error::SystemError;
use crate::sys::{self, Acquired, LOCKS_PER_PAGE, LockPage, LockResult, RobustLock, SharedMap};
use crate::wire::attachments;

/// First and longest sleep of a waiting thread. A process that is killed between a change and its wake-up, or that
/// overwrites the memory, leaves waiters asleep, so they check again: ever more rarely while nothing happens.
const FIRST_RECHECK: Duration = Duration::from_millis(50);
const LONGEST_RECHECK: Duration = Duration::from_secs(1);

/// Upper bound for which even a `try_` call waits for the internal lock. It is held for microseconds unless its owner is
/// stopped (SIGSTOP, debugger).
const STATE_LOCK_BUDGET: Duration = Duration::from_millis(100);

/// Looks in a row, a second apart, that find no owner of the internal lock before its word counts as overwritten. The
/// kernel frees the lock of a dead owner at once.
const MISSING_OWNER_CHECKS: u32 = 5;

/// The largest number of slots.
pub(super) const SLOT_LIMIT: usize = 4096;
/// The size of a slot in bytes.
pub(super) const SLOT_SIZE: usize = 32;

/// Kind of the primitive and [`INCONSISTENT`], as a distance from the end of the first page.
const STATUS: usize = 40;
/// Set while what a lock guards may be changed in part.
const INCONSISTENT: u32 = 1 << 31;

/// The internal lock, and that of [`Lock`](super::Lock) and [`RLock`](super::RLock).
const STATE_LOCK: usize = 0;

/// Kinds of primitives. Each has its number in the memory, which `attach` checks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lock = 0x70_72_6f_70,
    RLock,
    Semaphore,
    BoundedSemaphore,
    Condition,
    Event,
    Barrier,
}

impl Kind {
    fn has_slots(self) -> bool {
        matches!(self, Self::Semaphore | Self::Condition | Self::Barrier)
    }

    fn length(self) -> usize {
        let locks = SLOT_LIMIT / LOCKS_PER_PAGE * sys::page_size();
        if self.has_slots() {
            slot_locks_start() + locks
        } else {
            sys::page_size()
        }
    }
}

fn slot_locks_start() -> usize {
    sys::page_size() + (SLOT_LIMIT * SLOT_SIZE).next_multiple_of(sys::page_size())
}

/// Reason for which the internal lock was not acquired.
#[derive(Debug)]
pub(super) enum LockFailure {
    TimedOut,
    /// A process has overwritten the memory.
    Broken,
}

/// Device and inode number of a memory file.
type FileId = (u64, u64);

/// The memory of all primitives that this process has mapped.
static ATTACHED: Mutex<Option<HashMap<FileId, Weak<Memory>>>> = Mutex::new(None);

/// The shared memory of one primitive.
pub(super) struct Memory {
    map: SharedMap,
    first_page: LockPage,
    /// The pages with the slots' locks that this process has used.
    slot_pages: OnceLock<Box<[OnceLock<LockPage>]>>,
    kind: Kind,
    id: FileId,
}

impl Memory {
    pub(super) fn new(kind: Kind) -> Result<Arc<Self>, SystemError> {
        Self::create(kind).map_err(SystemError::new("make memory for synchronization"))
    }

    fn create(kind: Kind) -> io::Result<Arc<Self>> {
        let map = SharedMap::new(kind.length())?;
        let id = file_id(&File::from(map.as_fd().try_clone_to_owned()?))?;
        let memory = Self::over(map, kind, id)?;
        memory.status().store(kind as u32, Relaxed);
        attached(|all| all.insert(id, Arc::downgrade(&memory)));
        Ok(memory)
    }

    fn over(map: SharedMap, kind: Kind, id: FileId) -> io::Result<Arc<Self>> {
        let first_page = LockPage::new(map.as_fd(), 0)?;
        Ok(Arc::new(Self {
            map,
            first_page,
            slot_pages: OnceLock::new(),
            kind,
            id,
        }))
    }

    pub(super) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachments::pack(self.map.as_fd(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: Kind,
    ) -> Result<Arc<Self>, D::Error> {
        let refuse = || {
            attachments::refuse("a descriptor in it is no synchronization primitive of this kind")
        };
        match Self::attach(attachments::unpack(deserializer)?, kind) {
            Ok(Some(memory)) => Ok(memory),
            Ok(None) => Err(refuse()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(refuse()),
            Err(error) => Err(de::Error::custom(error)),
        }
    }

    /// Returns the memory of a file that another process has made. `None`: it is another kind's.
    fn attach(file: OwnedFd, kind: Kind) -> io::Result<Option<Arc<Self>>> {
        let file = File::from(file);
        let id = file_id(&file)?;
        let memory = attached(|all| {
            if let Some(memory) = all.get(&id).and_then(Weak::upgrade) {
                return Ok(memory);
            }
            let map = SharedMap::attach(file.into(), kind.length())?;
            let memory = Self::over(map, kind, id)?;
            all.insert(id, Arc::downgrade(&memory));
            io::Result::Ok(memory)
        })?;
        // Only now: memory of another kind takes itself out of the table when it is dropped.
        Ok((memory.kind == kind && memory.is_intact()).then_some(memory))
    }

    #[inline]
    fn status(&self) -> &AtomicU32 {
        self.first_page.word_before_end(STATUS)
    }

    /// Returns whether the memory is still that of this kind of primitive.
    #[inline]
    pub(super) fn is_intact(&self) -> bool {
        self.status().load(Relaxed) & !INCONSISTENT == self.kind as u32
    }

    /// Returns whether the memory is intact, and no thread died while it owned the lock.
    #[inline]
    pub(super) fn is_consistent(&self) -> bool {
        self.status().load(Relaxed) == self.kind as u32
    }

    pub(super) fn set_inconsistent(&self) {
        self.status().fetch_or(INCONSISTENT, Relaxed);
    }

    pub(super) fn mark_consistent(&self) {
        self.status().fetch_and(!INCONSISTENT, Relaxed);
    }

    /// Makes all calls of all processes fail: part of the memory has been overwritten.
    #[cold]
    pub(super) fn mark_broken(&self) {
        self.status().store(0, Relaxed);
    }

    /// Returns the lock at the end of the first page.
    #[inline]
    pub(super) fn lock(&self) -> RobustLock<'_> {
        self.first_page.lock(STATE_LOCK)
    }

    /// Unlocks [`lock`](Self::lock), if this thread owns it.
    #[inline]
    pub(super) fn unlock(&self) {
        if !self.lock().unlock() {
            self.mark_broken();
        }
    }

    /// Returns the lock of a slot. The error is a lack of memory.
    pub(super) fn slot_lock(&self, slot: usize) -> io::Result<RobustLock<'_>> {
        let (page, number) = (slot / LOCKS_PER_PAGE, slot % LOCKS_PER_PAGE);
        let pages = self.slot_pages.get_or_init(|| {
            (0..SLOT_LIMIT / LOCKS_PER_PAGE)
                .map(|_| OnceLock::new())
                .collect()
        });
        if pages[page].get().is_none() {
            let offset = slot_locks_start() + page * sys::page_size();
            // Another thread may have been faster; then this one's map is dropped.
            let _ = pages[page].set(LockPage::new(self.map.as_fd(), offset)?);
        }
        let page = pages[page].get().ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(page.lock(number))
    }

    /// Returns the word of a slot's lock, to be looked at.
    pub(super) fn slot_lock_word(&self, slot: usize) -> &AtomicU32 {
        let page = slot_locks_start() + slot / LOCKS_PER_PAGE * sys::page_size();
        self.map
            .half_word(page + sys::lock_word_offset(slot % LOCKS_PER_PAGE))
    }

    /// Acquires the internal lock. True: its last owner died, and what it was changing may be changed in part.
    pub(super) fn lock_state(
        &self,
        deadline: Option<Instant>,
    ) -> Result<(StateGuard<'_>, bool), LockFailure> {
        let outcome = match self.lock().try_lock() {
            Some(outcome) => outcome,
            None => {
                let deadline =
                    deadline.map(|deadline| deadline.max(Instant::now() + STATE_LOCK_BUDGET));
                let mut missing = 0;
                let is_intact = |owner| {
                    let exists = owner == 0 || sys::thread_exists(owner);
                    missing = if exists { 0 } else { missing + 1 };
                    self.is_intact()
                        && owner <= sys::MAX_THREAD_ID
                        && missing < MISSING_OWNER_CHECKS
                };
                match self.lock().lock(deadline, is_intact) {
                    LockResult::Locked(outcome) => outcome,
                    LockResult::TimedOut => return Err(LockFailure::TimedOut),
                    LockResult::Broken => return Err(LockFailure::Broken),
                }
            }
        };
        let state = StateGuard(self);
        if !self.is_intact() {
            return Err(LockFailure::Broken);
        }
        let died = outcome == Acquired::OwnerDied;
        if died && self.kind.has_slots() {
            state.rebuild_lists();
        }
        Ok((state, died))
    }
}

impl Deref for Memory {
    type Target = SharedMap;

    fn deref(&self) -> &SharedMap {
        &self.map
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        attached(|all| {
            // Another handle may have mapped the file anew after this one's count reached zero.
            if all
                .get(&self.id)
                .is_some_and(|memory| memory.strong_count() == 0)
            {
                all.remove(&self.id);
            }
        });
    }
}

fn attached<T>(f: impl FnOnce(&mut HashMap<FileId, Weak<Memory>>) -> T) -> T {
    let mut all = ATTACHED.lock().unwrap_or_else(PoisonError::into_inner);
    f(all.get_or_insert_default())
}

fn file_id(file: &File) -> io::Result<FileId> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The internal lock, held.
pub(super) struct StateGuard<'a>(&'a Memory);

impl Deref for StateGuard<'_> {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        self.0
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// The lengths of a waiting thread's sleeps.
pub(super) struct Recheck(Duration);

impl Recheck {
    pub(super) fn new() -> Self {
        Self(FIRST_RECHECK)
    }

    /// Returns the next sleep, which ends at the deadline at the latest. `None`: the deadline has passed.
    pub(super) fn next_sleep(&mut self, deadline: Option<Instant>) -> Option<Duration> {
        let sleep = self.0;
        self.0 = (2 * sleep).min(LONGEST_RECHECK);
        let left = deadline.map_or(sleep, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        (!left.is_zero()).then(|| left.min(sleep))
    }
}

/// Implements `Debug`, `Serialize` and `Deserialize` of a handle `struct $name(Arc<Memory>)`.
macro_rules! shared_handle {
    ($name:ident $(, $field:literal: $method:ident)*) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field($field, &self.$method()))*
                    .finish_non_exhaustive()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Memory::deserialize(deserializer, Kind::$name).map(Self)
            }
        }
    };
}

pub(super) use shared_handle;
