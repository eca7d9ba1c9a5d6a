//! What a connection that is kept alive and has nothing to do takes of a server's memory.

use super::exchange::Exchange;
use super::load::Load;
use super::page::Folder;
use super::site::{self, Site};
use super::{axum, ours};
use crate::peers::{Contest, Row, Target, Unit};

/// They pay for what a server needs once.
const FIRST: usize = 100;
const COUNT: usize = 2_000;

/// The row of memory. It varies little, and a server takes part only once: what it has had before, it would use again.
pub fn rows(rounds: usize, folder: &Folder) -> Vec<Row> {
    Contest::new("aio", "idle connection, server's memory")
        .unit(Unit::Bytes)
        .entrant("ours", || bytes(ours::one_loop, folder))
        .entrant("axum, one thread", || bytes(axum::one_thread, folder))
        .goal("ours", &["axum, one thread"], Target::Ratio(0.8))
        .run(rounds)
}

/// Resident memory that each connection adds, after some requests on it.
///
/// Resident, since that is what an operator pays for: what the allocator keeps for itself is part of it. The kernel's
/// memory for sockets, which is the same for all, is not.
fn bytes<T>(server: T, folder: &Folder) -> f64
where
    T: procs::Task<Args = Site, Output = ()>,
{
    let server = site::start(server, folder);
    let exchange = Exchange::hello();
    let open = |count| Load::open(server.address, &exchange, count).expect("it listens");
    let first = open(FIRST);
    server.rest();
    let before = server.resident_bytes();
    let connections = open(COUNT);
    server.rest();
    let after = server.resident_bytes();
    drop((first, connections));
    after.saturating_sub(before) as f64 / COUNT as f64
}
