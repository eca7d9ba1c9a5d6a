//! Queues between processes.
//!
//! # Trust boundary
//!
//! Every process that has a queue can write to the queue's memory. A process that overwrites it can have these effects on
//! the others:
//!
//! | effect | possible |
//! |---|---|
//! | crash or memory error of another process | no: the memory contains no addresses; offsets and lengths are verified |
//! | values that were not put, lost values | yes, if the decoder accepts the bytes; most damage gives `Broken` |
//! | endless wait | only of calls without a time limit, and only if a lock is overwritten with the id of a living thread, or a part of the counts while the rest stays valid; if all of the memory is overwritten, calls fail with `Broken` within 2 seconds |
//!
//! A queue whose memory was overwritten stays broken: drop it and make a new one.

mod futex_event;
mod handle;
mod joinable;
mod layout;
mod ring;
mod timeout;
mod turn;

pub use handle::{Iter, Queue, TryIter};
pub use joinable::JoinableQueue;
