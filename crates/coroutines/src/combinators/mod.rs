//! Combinators of several coroutines.

mod interleave;
pub use interleave::{Interleave, Lanes};

#[cfg(feature = "alloc")]
mod scheduler;
#[cfg(feature = "alloc")]
pub use scheduler::{Id, Scheduler};
