//! How a thread sleeps and another wakes it: the layer below every primitive.
//!
//! The algorithms above use only the names of [`sys`], so the code that ships is the code that loom explores
//! (`RUSTFLAGS="--cfg loom" cargo test -p threads --release --test loom`).

mod backoff;
mod spin_lock;
#[cfg_attr(loom, path = "loom.rs")]
pub(crate) mod sys;
mod waiter;

pub(crate) use backoff::Backoff;
#[cfg(not(loom))]
pub(crate) use spin_lock::SpinLock as SideLock;
pub use waiter::Waiter;
pub(crate) use waiter::{Entry, WaitList, WaitQueue, deadline};
#[cfg(loom)]
pub(crate) use {spin_lock::SpinLock, sys::SideLock};
