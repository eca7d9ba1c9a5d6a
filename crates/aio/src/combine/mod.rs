//! Waiting for several things, and for one thing within limits.

mod children;
mod gather;
mod wait_for;

pub use gather::{Gather, GatherSettled, gather, gather_settled};
pub use wait_for::{WaitFor, wait_for};
