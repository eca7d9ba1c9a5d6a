//! Waiting for several things, and for one thing within limits.

mod as_completed;
mod children;
mod gather;
mod timeout;
mod wait;
mod wait_for;

pub use as_completed::{AsCompleted, as_completed};
pub(crate) use children::Children;
pub use gather::{Gather, GatherSettled, gather, gather_settled};
pub use timeout::{Deadline, timeout};
pub use wait::{Until, wait};
pub use wait_for::{WaitFor, wait_for};
