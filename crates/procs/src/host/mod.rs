//! The side of the process that starts others: starting, watching and collecting children.

pub(crate) mod fork_server;
pub(crate) mod monitor;
pub(crate) mod notifier;
pub(crate) mod socket;
pub(crate) mod start;
#[expect(
    dead_code,
    reason = "the pool asks for its workers here once its loop is changed"
)]
pub(crate) mod starter;
