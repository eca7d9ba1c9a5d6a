//! Frames from a parent to a worker of its pool.

/// Several calls of one task: the number of the first (u64), the task's id (u64), their count (u32), the length of the items
/// in bytes (u64), then the items. Each item is the encoded arguments of a call, preceded by their length.
pub(crate) const TASKS: u8 = 1;
/// The last frame: the worker finishes its tasks and exits.
pub(crate) const STOP: u8 = 2;
/// Marks the end of revoked frames: the worker runs no tasks of frames before it, and all tasks of frames after it.
pub(crate) const REVOKE_ACK: u8 = 3;
/// The size of a TASKS frame before its items, in bytes.
pub(crate) const TASKS_HEADER: usize = 1 + 8 + 8 + 4 + 8;
