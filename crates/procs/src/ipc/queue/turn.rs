//! Turns for writers that wait for much room.
//!
//! Small items find room sooner than a large one, so without an order a large one could wait for ever. A writer whose item
//! did not fit after a sleep takes the *turn*: until it has put its item, no other writer puts one, and the room grows
//! with every item that is taken. The writer that has waited longest has the turn.
//!
//! | state | `since` | `until` |
//! |---|---|---|
//! | no turn | 0 | any |
//! | a writer's turn | when it began to wait | when the turn expires if it is not renewed |
//! | expired | as before | in the past, or too far in the future (overwritten) |
//!
//! Times are nanoseconds of the monotonic clock, which all processes share. The writer renews its turn while it waits. A
//! writer that was killed or stopped does not, so that the others wait for [`LEASE`] at most. Both words are changed under
//! the put lock, except by `end`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use crate::sys;

/// How long a turn counts without being renewed.
const LEASE: Duration = Duration::from_secs(1);

/// How often the writer renews it.
pub(super) const RENEWAL_INTERVAL: Duration = Duration::from_millis(500);

/// The turn of a ring. Writers are identified by the moment at which they began to wait.
pub(super) struct Turn<'a> {
    since: &'a AtomicU64,
    until: &'a AtomicU64,
}

impl<'a> Turn<'a> {
    pub(super) fn new(since: &'a AtomicU64, until: &'a AtomicU64) -> Self {
        Self { since, until }
    }

    /// If it is the turn of a writer other than this one: how long it counts at most. A writer that has waited longer than
    /// the one with the turn is not hindered.
    #[inline]
    pub(super) fn is_other_than(&self, writer: u64) -> Option<Duration> {
        match self.since.load(Relaxed) {
            0 => None,
            since if writer != 0 && writer <= since => None,
            _ => self.left(),
        }
    }

    #[cold]
    fn left(&self) -> Option<Duration> {
        let now = sys::monotonic_nanos();
        let left = Duration::from_nanos(self.until.load(Relaxed).saturating_sub(now));
        // More than the lease was not written by a writer.
        (!left.is_zero() && left <= LEASE).then_some(left)
    }

    /// Gives the turn to a writer, or renews it. True: it was another writer's.
    #[cold]
    pub(super) fn take(&self, writer: u64) -> bool {
        let until = sys::monotonic_nanos().saturating_add(LEASE.as_nanos() as u64);
        self.until.store(until, Relaxed);
        let before = self.since.swap(writer, SeqCst);
        before != 0 && before != writer
    }

    /// Ends the turn of this writer, if it has it.
    #[inline]
    pub(super) fn end(&self, writer: u64) {
        if writer != 0 {
            let _ = self.since.compare_exchange(writer, 0, SeqCst, Relaxed);
        }
    }
}
