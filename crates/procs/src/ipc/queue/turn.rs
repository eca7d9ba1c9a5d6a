//! Turns of writers that wait for much room.
//!
//! Small items find room sooner than a large one, so without turns a large one could wait for ever. A writer whose item
//! does not fit after a sleep takes the *turn*. Until it has put its item, no other writer puts one, and the room grows
//! with every item that is taken. The writer that has waited longest has the turn.
//!
//! | state | `since` | `until` |
//! |---|---|---|
//! | no turn | 0 | any |
//! | a writer's turn | when it began to wait | when the turn expires if it is not renewed |
//! | expired | as before | in the past, or too far in the future (overwritten) |
//!
//! Times are nanoseconds of the monotonic clock, which all processes share. The writer renews its turn while it waits. A
//! writer that was killed or stopped does not, so the others wait for at most [`LEASE`]. Both words are changed under the
//! put lock, except by `end`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use crate::sys;

/// Time after which a turn expires if it is not renewed.
const LEASE: Duration = Duration::from_secs(1);

/// Time between two renewals.
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

    /// Returns the time left of another writer's turn. `None`: no other writer has the turn, or this writer has waited longer
    /// and may put its item.
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
        // No writer stores more than the lease: the word was overwritten.
        (!left.is_zero() && left <= LEASE).then_some(left)
    }

    /// Gives the turn to a writer, or renews it. True: another writer had it.
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
