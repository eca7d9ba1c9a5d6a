//! The code that runs in a started process: its entry, its handshake, its role.

pub(crate) mod bootstrap;
mod fork_server;
pub(crate) mod init;
mod panic;
mod worker;
