//! Frames from a parent to a worker of its pool.

/// Several tasks: the number of the first (u64), the task's id (u64), count (u32), length of the items in bytes (u64), then
/// the items, each with its length.
pub(crate) const TASKS: u8 = 1;
/// No more frames follow: finish and exit.
pub(crate) const STOP: u8 = 2;
/// Acknowledges a revocation: the frames before this one are void, those after it count.
pub(crate) const REVOKE_ACK: u8 = 3;
/// The size of a TASKS frame before its items.
pub(crate) const TASKS_HEADER: usize = 1 + 8 + 8 + 4 + 8;
