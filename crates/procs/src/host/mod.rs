//! The code of a process that starts others: starting, watching and collecting children.

pub(crate) mod child;
pub(crate) mod fork_server;
pub(crate) mod monitor;
pub(crate) mod notifier;
pub(crate) mod socket;
pub(crate) mod start;
pub(crate) mod starter;
