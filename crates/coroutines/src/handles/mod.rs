//! Handles that own a coroutine: on the heap, with several owners, with a stack of frames.

mod boxed;
pub use boxed::{Boxed, BoxedAs, BoxedSend};

mod recursive;
pub use recursive::{Rec, Recursive, recursive};

#[cfg(feature = "std")]
mod shared;
#[cfg(feature = "std")]
pub use shared::Shared;
