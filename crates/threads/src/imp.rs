//! What the primitives stand on: the machine, or loom's model of it.
//!
//! The algorithms above use only these names, so the code that ships is the code that loom explores
//! (`RUSTFLAGS="--cfg loom" cargo test -p threads --release --test loom`).

#[cfg_attr(loom, path = "imp/model.rs")]
#[cfg_attr(not(loom), path = "imp/native.rs")]
mod backend;
pub(crate) use backend::*;
