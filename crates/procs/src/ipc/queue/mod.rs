//! Queues between processes.
//!
//! # Trust boundary
//!
//! A queue lies in memory that every process that has it can write to. What a process with wild writes can do to the
//! others through it:
//!
//! | | |
//! |---|---|
//! | crash or memory error of another process | no: nothing in the memory is an address; offsets and lengths are verified |
//! | values that were not put, lost values | yes, if the decoder accepts the bytes; most damage gives `Broken` |
//! | endless wait | only of calls without a time limit, and only if a lock is overwritten with the id of a living thread, or parts of the counts are changed while the rest stays valid; an overwritten whole gives `Broken` within 2 seconds |
//!
//! A queue whose memory was overwritten stays broken: drop it and make a new one.

mod futex_event;
mod handle;
mod joinable;
mod ring;
mod turn;

pub use handle::{Iter, Queue, TryIter};
pub use joinable::JoinableQueue;
