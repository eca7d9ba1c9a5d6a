//! The side of a started process: recognising it, its handshake, its role.

pub(crate) mod bootstrap;
mod fork_server;
pub(crate) mod init;
mod panic;
mod worker;
