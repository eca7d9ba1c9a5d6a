//! The journal of a pool's worker: memory that it shares with its parent. It records which tasks have begun, and holds
//! results that the parent has not received yet.
//!
//! When the worker has died, the parent finds two facts in it: which task was running (at most one), and which results were
//! finished but not yet sent. The parent validates the content before use, because a task may have overwritten it. Task
//! numbers begin at a random number, so that overwritten words are detected.
//!
//! | word | written by | meaning |
//! |---|---|---|
//! | `CLAIM` | worker, by compare-and-swap; parent, by setting the top bit | the number of the next task to begin; top bit: revoked |
//! | `STARTED` | worker, if `TIMED` | when the running function was called, nanoseconds of the monotonic clock; 0: none runs |
//! | `TIMED` | parent, before the worker starts | 1: tasks have a time limit, and the worker writes `STARTED` |
//! | `BUSY` | worker | nanoseconds spent in tasks, as of the last reading of the clock |
//! | `COMMITTED` | worker, with release | number of bytes of records that exist, sent or not |
//! | `BYPASSED` | worker, before `COMMITTED` | end of the last record that was written to the socket only: what precedes it is not in the ring |
//! | `REPORT` | worker, with release | the number of the task whose panic is in the report, or 0 |
//!
//! Each task begins once, because `CLAIM` changes in three ways only:
//!
//! - The worker's compare-and-swap from `n` to `n + 1` begins task `n`.
//! - The parent sets the top bit. After that, no compare-and-swap of the worker succeeds.
//! - The worker clears the bit once it has read everything that was sent before the acknowledgement.
//!
//! The value at the moment when the bit is set divides the tasks. Those below it have begun; the parent may give those
//! from it on to another worker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sys::sync::atomic::fence;
use crate::sys::{self, SharedMap};
use crate::wire::Corrupt;

// Each word has a cache line of its own.
const CLAIM: usize = 0;
const STARTED: usize = 64;
const TIMED: usize = 72;
const BUSY: usize = 128;
const COMMITTED: usize = 192;
const BYPASSED: usize = 200;
const REPORT: usize = 256;
const REPORT_LENGTH: usize = 264;
const REPORT_BYTES: usize = 512;
const RING: usize = 4096;
const LENGTH: usize = RING + RING_SIZE;

/// Size of the ring of records, in bytes.
pub(crate) const RING_SIZE: usize = 64 * 1024;

/// Largest report of a panic, in bytes.
pub(crate) const MAX_REPORT: usize = RING - REPORT_BYTES;

/// Largest record in the ring, in bytes. Larger ones are written to the socket only.
pub(crate) const MAX_RECORD: usize = RING_SIZE / 2;

/// Set in `CLAIM` when the parent has revoked every task that had not begun.
const REVOKED: u64 = 1 << 63;

/// The first task number is at most this, so that no pool ever counts up to [`REVOKED`].
const MAX_FIRST_NUMBER: u64 = 1 << 62;

/// Result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The task has begun.
    Begun,
    /// The parent has revoked the task.
    Revoked,
}

/// The journal of one worker.
pub(crate) struct Journal(SharedMap);

impl Journal {
    /// Parent: makes the journal of a new worker.
    pub(crate) fn new() -> io::Result<Self> {
        let map = SharedMap::new(LENGTH)?;
        let mut random = [0; 8];
        sys::fill_random(&mut random)?;
        // Not zero, which is the number of records that belong to no job.
        let first = u64::from_le_bytes(random) % MAX_FIRST_NUMBER + 1;
        map.word(CLAIM).store(first, Relaxed);
        Ok(Self(map))
    }

    /// Worker: maps the journal that its parent has made.
    pub(crate) fn attach(file: OwnedFd) -> io::Result<Self> {
        SharedMap::attach(file, LENGTH).map(Self)
    }

    /// Worker: begins the task of this number, unless the parent has revoked it.
    ///
    /// The compare-and-swap decides between claim and revocation. Each task either begins here or goes to another worker,
    /// never both.
    pub(crate) fn claim(&self, number: u64) -> Result<Claim, Corrupt> {
        // Release: a parent that reads the claim also reads the `STARTED` of 0 that the function before it left.
        match self
            .0
            .word(CLAIM)
            .compare_exchange(number, number + 1, AcqRel, Relaxed)
        {
            Ok(_) => Ok(Claim::Begun),
            Err(found) if found == number | REVOKED => Ok(Claim::Revoked),
            Err(_) => Err(Corrupt),
        }
    }

    /// Worker: clears the revocation, once all revoked tasks have been skipped.
    pub(crate) fn acknowledge_revocation(&self) {
        self.0.word(CLAIM).fetch_and(!REVOKED, AcqRel);
    }

    /// Worker: adds to the time spent in tasks.
    pub(crate) fn add_busy(&self, nanos: u64) {
        let busy = self.0.word(BUSY);
        busy.store(busy.load(Relaxed).wrapping_add(nanos), Relaxed);
    }

    /// Worker: returns a timer for the task's function, which is off if the pool does not limit its time.
    pub(crate) fn timer(&self) -> TaskTimer<'_> {
        let timed = self.0.word(TIMED).load(Relaxed) != 0;
        TaskTimer(timed.then_some(self))
    }

    /// Worker: stores how the task of this number panicked, in case the process aborts before it sends a record.
    pub(crate) fn report(&self, number: u64, report: &[u8]) {
        if report.len() <= MAX_REPORT {
            self.0.word(REPORT).store(0, Relaxed);
            fence(Release);
            self.0.write(REPORT_BYTES, report);
            self.0
                .word(REPORT_LENGTH)
                .store(report.len() as u64, Relaxed);
            self.0.word(REPORT).store(number, Release);
        }
    }

    /// Parent, of a dead worker: returns how the task of this number panicked.
    pub(crate) fn report_of(&self, number: u64) -> Option<Vec<u8>> {
        if self.0.word(REPORT).load(Acquire) != number {
            return None;
        }
        let length = self.0.word(REPORT_LENGTH).load(Relaxed);
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_REPORT)?;
        let mut bytes = vec![0; length];
        self.0.read(REPORT_BYTES, &mut bytes);
        Some(bytes)
    }

    /// Parent: sets `TIMED`, so that the worker writes `STARTED`.
    pub(crate) fn keep_time(&self) {
        self.0.word(TIMED).store(1, Relaxed);
    }

    /// Worker: writes bytes of records at a position of the stream. `publish` makes them visible.
    ///
    /// The caller has sent everything a whole ring before `position`, and writes at most `MAX_RECORD` bytes between two
    /// publications.
    pub(crate) fn write(&self, position: u64, bytes: &[u8]) {
        // A reader of one of these bytes also reads the position that was published before them.
        fence(Release);
        let at = (position % RING_SIZE as u64) as usize;
        let (head, tail) = bytes.split_at(bytes.len().min(RING_SIZE - at));
        self.0.write(RING + at, head);
        self.0.write(RING, tail);
    }

    /// Worker: publishes all records up to this position of the stream.
    pub(crate) fn publish(&self, position: u64) {
        // Pairs with the acquire load in `copy`.
        self.0.word(COMMITTED).store(position, Release);
    }

    /// Worker: publishes all records up to this position, of which the last was written to the socket only.
    pub(crate) fn publish_bypass(&self, position: u64) {
        // Stored before the publication, so that a reader of that also reads this.
        self.0.word(BYPASSED).store(position, Relaxed);
        self.publish(position);
    }

    /// Returns the number of the next task to begin. In a new journal that is the worker's first task.
    pub(crate) fn next(&self) -> u64 {
        self.0.word(CLAIM).load(Acquire) & !REVOKED
    }

    /// Parent: revokes all tasks that have not begun. Returns the number of the first of them.
    ///
    /// The parent calls it again only after the worker's acknowledgement.
    pub(crate) fn revoke(&self) -> u64 {
        self.0.word(CLAIM).fetch_or(REVOKED, AcqRel) & !REVOKED
    }

    /// Parent: returns the number of the newest task that has begun, and when its function was called, in nanoseconds of
    /// the monotonic clock. `None`: no function runs.
    pub(crate) fn running(&self) -> Option<(u64, u64)> {
        let before = self.next();
        let started = self.0.word(STARTED).load(Acquire);
        // With the same claim before and after, the time is not that of a later task.
        (started != 0 && before == self.next()).then(|| (before.wrapping_sub(1), started))
    }

    /// Parent: returns the nanoseconds spent in tasks so far.
    pub(crate) fn busy(&self) -> u64 {
        self.0.word(BUSY).load(Relaxed)
    }

    /// Parent, of a dead worker whose socket is drained: returns the records from this position of the stream on.
    pub(crate) fn committed_after(&self, position: u64) -> Option<Vec<u8>> {
        self.copy(position, RING_SIZE)
    }

    /// Parent, of a living worker: returns the records from this position of the stream on, if they are still in the ring.
    ///
    /// The worker may write during the copy. It overwrites a copied byte only when it is more than half a ring after
    /// `position` (see `write`). Then the second load of `COMMITTED` shows that it is.
    pub(crate) fn peek(&self, position: u64) -> Option<Vec<u8>> {
        let bytes = self.copy(position, MAX_RECORD)?;
        // Pairs with the fence in `write`: a reader of an overwritten byte also reads the position published before it.
        fence(Acquire);
        let after = self.0.word(COMMITTED).load(Relaxed);
        (after.wrapping_sub(position) <= MAX_RECORD as u64).then_some(bytes)
    }

    fn copy(&self, position: u64, limit: usize) -> Option<Vec<u8>> {
        let length = self.0.word(COMMITTED).load(Acquire).checked_sub(position)?;
        // A record that bypassed the ring can only be received from the socket.
        let bypassed = self.0.word(BYPASSED).load(Relaxed);
        if length == 0 || length > limit as u64 || position < bypassed {
            return None;
        }
        let mut bytes = vec![0; length as usize];
        let at = (position % RING_SIZE as u64) as usize;
        let (head, tail) = bytes.split_at_mut((RING_SIZE - at).min(length as usize));
        self.0.read(RING + at, head);
        self.0.read(RING, tail);
        Some(bytes)
    }
}

/// Records in a journal when a task's function is called and returns. Decoding before and encoding afterwards do not count.
#[derive(Clone, Copy)]
pub(crate) struct TaskTimer<'a>(Option<&'a Journal>);

impl TaskTimer<'_> {
    /// Records nothing.
    pub(crate) const OFF: Self = TaskTimer(None);

    #[inline]
    pub(crate) fn begin(self) {
        if let Some(journal) = self.0 {
            let now = sys::monotonic_nanos();
            journal.0.word(STARTED).store(now.max(1), Release);
        }
    }

    #[inline]
    pub(crate) fn end(self) {
        if let Some(journal) = self.0 {
            journal.0.word(STARTED).store(0, Release);
        }
    }
}

impl AsFd for Journal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
