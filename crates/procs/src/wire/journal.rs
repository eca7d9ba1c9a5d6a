//! The journal of a pool's worker: memory that it shares with its parent. It says which task was begun, and holds results
//! that are still on their way.
//!
//! After a death it answers two questions without a message from the worker: which task was running (at most one), and
//! which results were finished but not yet sent. Its content is checked before use, because a task may have overwritten
//! it. Tasks are numbered from a random number on, so that overwritten words are noticed.
//!
//! | word | written by | says |
//! |---|---|---|
//! | `CLAIM` | worker, by compare-and-swap; parent, by setting the top bit | the number of the next task to begin; top bit: revoked |
//! | `STARTED` | worker, if `TIMED` | when the running function was called, nanoseconds of the monotonic clock; 0: none runs |
//! | `TIMED` | parent, before the worker starts | 1: tasks have a time limit, and `STARTED` must be kept |
//! | `BUSY` | worker | nanoseconds spent in tasks, as of the last look at the clock |
//! | `COMMITTED` | worker, with release | how many bytes of records exist, sent or not |
//! | `BYPASSED` | worker, before `COMMITTED` | up to where records have gone straight into the socket: they are not in the ring |
//! | `REPORT` | worker, with release | the number of the task whose panic stands in the report, or 0 |
//!
//! Why each task is begun once: `CLAIM` changes only by the worker's compare-and-swap from `n` to `n + 1`, which begins
//! task `n`, by the parent's setting of the top bit, after which no such exchange can succeed, and by the worker's clearing
//! of that bit once it has read everything that was sent before the acknowledgement. The value that the parent finds
//! when it sets the bit divides the tasks: those below were begun, those from it on are the parent's again.

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

/// How many bytes of records the page can hold.
pub(crate) const RING_SIZE: usize = 64 * 1024;

/// The largest report of a panic.
pub(crate) const MAX_REPORT: usize = RING - REPORT_BYTES;

/// The largest record that goes through the page; larger ones go straight into the socket.
pub(crate) const MAX_RECORD: usize = RING_SIZE / 2;

/// The parent has taken back every task that was not begun.
const REVOKED: u64 = 1 << 63;

/// Numbers begin below this, so that no pool ever counts up to [`REVOKED`].
const FIRST_NUMBERS: u64 = 1 << 62;

/// What a claim comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The task has begun.
    Begun,
    /// The parent has taken the task back.
    Revoked,
}

/// The journal of one worker.
pub(crate) struct Journal(SharedMap);

impl Journal {
    pub(crate) fn new() -> io::Result<Self> {
        let map = SharedMap::new(LENGTH)?;
        let mut random = [0; 8];
        sys::fill_random(&mut random)?;
        // Not zero, which is the number of records that belong to no job.
        let first = u64::from_le_bytes(random) % FIRST_NUMBERS + 1;
        map.word(CLAIM).store(first, Relaxed);
        Ok(Self(map))
    }

    pub(crate) fn attach(file: OwnedFd) -> io::Result<Self> {
        SharedMap::attach(file, LENGTH).map(Self)
    }

    /// Worker: begins the task of this number.
    ///
    /// The compare-and-swap decides between the worker's claim and the parent's revocation, so that each task is either
    /// begun here or given to another worker, never both.
    pub(crate) fn claim(&self, number: u64) -> Result<Claim, Corrupt> {
        // Release: a parent that sees the claim also sees that the function before it has returned.
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

    /// Worker: everything that was revoked has been skipped.
    pub(crate) fn acknowledge_revocation(&self) {
        self.0.word(CLAIM).fetch_and(!REVOKED, AcqRel);
    }

    /// Worker: adds to the time spent in tasks.
    pub(crate) fn add_busy(&self, nanos: u64) {
        let busy = self.0.word(BUSY);
        busy.store(busy.load(Relaxed).wrapping_add(nanos), Relaxed);
    }

    /// Worker: a clock for the task's function, if the pool limits its time.
    pub(crate) fn timer(&self) -> TaskTimer<'_> {
        let timed = self.0.word(TIMED).load(Relaxed) != 0;
        TaskTimer(timed.then_some(self))
    }

    /// Worker: notes how the task of this number panicked, in case it does not live to send a record.
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

    /// Parent, of a dead worker: how the task of this number panicked.
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

    /// Parent: has the worker keep `STARTED`.
    pub(crate) fn keep_time(&self) {
        self.0.word(TIMED).store(1, Relaxed);
    }

    /// Worker: puts record bytes at a position of the stream. `publish` makes them visible.
    ///
    /// The caller has sent everything that lies a whole ring before, and writes at most `MAX_RECORD` bytes between two
    /// publications.
    pub(crate) fn write(&self, position: u64, bytes: &[u8]) {
        // Whoever sees one of these bytes also sees the position that was published before them.
        fence(Release);
        let at = (position % RING_SIZE as u64) as usize;
        let (head, tail) = bytes.split_at(bytes.len().min(RING_SIZE - at));
        self.0.write(RING + at, head);
        self.0.write(RING, tail);
    }

    /// Worker: all records up to this position of the stream exist.
    pub(crate) fn publish(&self, position: u64) {
        // Pairs with the acquire load in `copy`.
        self.0.word(COMMITTED).store(position, Release);
    }

    /// Worker: all records up to this position exist, and the last one went straight into the socket.
    pub(crate) fn publish_bypass(&self, position: u64) {
        // Before the publication: whoever sees that sees this too.
        self.0.word(BYPASSED).store(position, Relaxed);
        self.publish(position);
    }

    /// The number of the next task to begin. In a new journal it is that of the worker's first task.
    pub(crate) fn next(&self) -> u64 {
        self.0.word(CLAIM).load(Acquire) & !REVOKED
    }

    /// Parent: takes back what is not begun; returns the number of the first task that was not begun.
    ///
    /// Not again before the worker has acknowledged it.
    pub(crate) fn revoke(&self) -> u64 {
        self.0.word(CLAIM).fetch_or(REVOKED, AcqRel) & !REVOKED
    }

    /// Parent: the number of the newest task that was begun, and when its function was called in nanoseconds of the
    /// monotonic clock; `None` while none runs.
    pub(crate) fn running(&self) -> Option<(u64, u64)> {
        let before = self.next();
        let started = self.0.word(STARTED).load(Acquire);
        // The same claim before and after: the time is not that of a later task.
        (started != 0 && before == self.next()).then(|| (before.wrapping_sub(1), started))
    }

    /// Parent: nanoseconds spent in tasks so far.
    pub(crate) fn busy(&self) -> u64 {
        self.0.word(BUSY).load(Relaxed)
    }

    /// Parent, of a dead worker whose socket is drained: the records from this position of the stream on.
    pub(crate) fn remains(&self, position: u64) -> Option<Vec<u8>> {
        self.copy(position, RING_SIZE)
    }

    /// Parent, of a living worker: the records from this position of the stream on, if they are still in the page.
    ///
    /// The worker may write meanwhile. A byte of the copy is overwritten only when the worker stands more than half a
    /// ring after `position` (see `write`), and then the second look at `COMMITTED` shows that it does.
    pub(crate) fn peek(&self, position: u64) -> Option<Vec<u8>> {
        let bytes = self.copy(position, MAX_RECORD)?;
        // Pairs with the fence in `write`: whoever read an overwritten byte also reads the position before it.
        fence(Acquire);
        let after = self.0.word(COMMITTED).load(Relaxed);
        (after.wrapping_sub(position) <= MAX_RECORD as u64).then_some(bytes)
    }

    fn copy(&self, position: u64, limit: usize) -> Option<Vec<u8>> {
        let length = self.0.word(COMMITTED).load(Acquire).checked_sub(position)?;
        // What is still in the socket of a record that bypassed the page has to come from there.
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

/// Notes in a journal when a task's function is called and returns. What is decoded before and encoded afterwards does
/// not count.
#[derive(Clone, Copy)]
pub(crate) struct TaskTimer<'a>(Option<&'a Journal>);

impl TaskTimer<'_> {
    /// Notes nothing.
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
