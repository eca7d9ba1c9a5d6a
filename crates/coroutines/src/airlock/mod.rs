//! How values cross a suspension. The only room of the crate with `unsafe`.
//!
//! A body is an `async` block, and `await` is its only way to stop. What `await` hands down is a [`Context`], and what a
//! context holds is a waker: a data pointer and a table of functions. So `resume` puts two slots on *its own stack*, makes
//! a waker whose data pointer leads to them and whose table is private to this crate, and polls. `yield_` finds the slots
//! again through the waker it is polled with, and checks before it touches them:
//!
//! 1. the table is ours, so the data pointer leads to an [`Airlock`] of some coroutine, whose first field is its number;
//! 2. the number is that of the handle's [`Brand`]. Numbers are never used twice, and a brand carries its types, so the
//!    slots have the types that the handle believes.
//!
//! The slots outlive the poll, since they are on the stack of whoever polls; nobody can keep the pointer, since a clone of
//! the waker leads elsewhere. Nothing in a frame points into itself through us, and an optimiser that has inlined the body
//! sees plain local variables.
//!
//! [`Context`]: core::task::Context
//! [`Airlock`]: waker::Airlock

mod brand;
pub(crate) use brand::Brand;

#[cfg(feature = "alloc")]
mod fill;

mod frame;
pub(crate) use frame::Frame;

mod start;
pub(crate) use start::Start;

mod waker;
pub(crate) use waker::exchange;
#[cfg(feature = "alloc")]
pub(crate) use waker::poll;
