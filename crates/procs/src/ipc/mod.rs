//! Communication between processes.

mod arena;
pub(crate) mod channel;
pub mod manager;
pub mod queue;
pub(crate) mod shm;
pub mod sync;
