//! A function applied to many items by a pool.

mod chunks;
mod collect;
mod input;
mod ordered;
mod unordered;

pub use chunks::MapChunks;
pub(super) use collect::collect;
pub use ordered::Map;
pub use unordered::MapUnordered;

/// Upper bound of windows and chunks, so that an endless input is not read for ever.
const MAX_SIZE: usize = 1 << 16;
