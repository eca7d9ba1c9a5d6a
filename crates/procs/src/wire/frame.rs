//! Frames from a parent to a worker of its pool.

/// A run of tasks: id (u64), count (u32), length of the items (u64), then the items, each with its length.
pub(crate) const TASKS: u8 = 1;
/// No more will come: finish and exit.
pub(crate) const STOP: u8 = 2;
/// Everything after a revocation has been taken back; what follows is valid again.
pub(crate) const RESUME: u8 = 3;
/// The size of a TASKS frame before its items.
pub(crate) const TASKS_HEADER: usize = 1 + 8 + 4 + 8;
