//! What is known of a task at a glance.

/// What is known of a task, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(pub(super) u8);

impl Flags {
    pub(super) const BITS: u32 = 8;
    /// In the ready queue.
    pub(crate) const QUEUED: Flags = Flags(1);
    /// Drop the body before the next poll.
    pub(crate) const CANCEL: Flags = Flags(2);
    /// As `CANCEL`, without the asynchronous clean-ups.
    pub(crate) const ABORT: Flags = Flags(4);
    /// Nobody holds its handle.
    pub(crate) const DETACHED: Flags = Flags(8);
    /// It has an entry among the extras.
    pub(crate) const HAS_EXTRA: Flags = Flags(16);
    /// The slot is vacant, and the number in its word is that of the next vacant one.
    pub(super) const VACANT: Flags = Flags(32);
    /// Its body is the future of `run_until_complete`, which the loop does not own.
    pub(crate) const MAIN: Flags = Flags(64);
    /// It was cancelled, and its body now is its clean-ups.
    pub(crate) const CLEANING: Flags = Flags(128);

    pub(crate) fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}
