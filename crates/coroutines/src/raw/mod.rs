//! How values cross a suspension. The only directory of the crate with `unsafe`.
//!
//! A body is an `async` block, and `await` is its only way to stop. An `await` passes a [`Context`] down, and a context
//! holds a waker: a data pointer and a table of functions. `resume` puts a slot on *its own stack*, makes a waker whose
//! data pointer leads to the slot and whose table is private to this crate, and polls. `yield_` finds the slot through the
//! waker that it is polled with. Before it uses the slot it checks two things:
//!
//! 1. The table is ours, so the data pointer leads to a [`ResumeSlot`], whose first field is the number of a coroutine.
//! 2. The number is that of the handle's [`InstanceId`]. Numbers are never used twice, and an id carries its types, so the
//!    slot has the types of the handle.
//!
//! The slot outlives the poll, since it is on the stack of the caller. No code can keep the pointer, since a clone of the
//! waker points elsewhere. This crate puts no pointer into a frame, and an optimiser that has inlined the body sees plain
//! local variables.
//!
//! [`Context`]: core::task::Context
//! [`ResumeSlot`]: slot::ResumeSlot

mod instance_id;
pub(crate) use instance_id::InstanceId;

#[cfg(feature = "alloc")]
mod fill;

mod frame;
pub(crate) use frame::{Frame, project_frame};

mod outcome;
pub use outcome::ResumeOutcome;

mod start;
pub(crate) use start::Start;

mod slot;
#[cfg(feature = "alloc")]
pub(crate) use slot::poll;
pub(crate) use slot::poll_yield;
