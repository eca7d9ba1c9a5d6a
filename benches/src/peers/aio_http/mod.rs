//! `aio`'s HTTP server, WebSockets and client against hyper, axum, actix-web, nginx, aiohttp, tokio-tungstenite and
//! reqwest.
//!
//! Each server is a process of its own with the same settings: Nagle's algorithm is off, connections are kept alive,
//! nothing is logged. This process is the load. Unless a row says something else, what counts is the processor time of all
//! threads of the server's process for each request. Every answer is checked.

mod actix;
mod alone;
mod axum;
mod case;
mod clients;
mod exchange;
mod hyper;
mod idle;
mod load;
mod loops;
mod nginx;
mod ours;
mod page;
mod requests;
mod site;
mod tungstenite;
mod websockets;

use super::Row;
use crate::limits;
use page::Folder;

pub use alone::Alone;
pub use case::Case;

/// Every row.
///
/// Servers run in processes of their own: the program must call [`procs::init`] first.
#[must_use]
pub fn rows(rounds: usize) -> Vec<Row> {
    let folder = Folder::create().expect("room for a file");
    limits::raise_open_files();
    let parts = [
        requests::rows,
        loops::rows,
        websockets::rows,
        clients::rows,
        idle::rows,
    ];
    let rows = parts.iter().flat_map(|rows| rows(rounds, &folder));
    rows.collect()
}

/// The peers' runtime that is like a loop: everything on this thread.
fn on_one_thread(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(future);
}
