//! One thing to ask of a server with one thread, under the name that it has in the table.

use super::exchange::Exchange;
use super::page;

const DEPTH: usize = 16;
const ECHO: usize = 16 * 1024;

/// What is exchanged, and how often in a turn.
pub struct Case {
    /// As in the table.
    pub name: &'static str,
    pub(super) exchange: Exchange,
    pub(super) requests: usize,
}

impl Case {
    fn new(name: &'static str, requests: usize, exchange: Exchange) -> Self {
        Self {
            name,
            exchange,
            requests,
        }
    }

    /// A small page.
    #[must_use]
    pub fn get() -> Self {
        Self::new("GET, one loop, server's CPU", 12_800, Exchange::hello())
    }

    /// The same, many at once on each connection.
    #[must_use]
    pub fn pipelined() -> Self {
        let exchange = Exchange::hello().pipelined(DEPTH);
        Self::new("GET, 16 pipelined, server's CPU", 51_200, exchange)
    }

    /// A value that is made into JSON for each answer.
    #[must_use]
    pub fn json() -> Self {
        let json = serde_json::to_vec(&*page::PEOPLE).expect("JSON");
        let exchange = Exchange::get("/people", json);
        Self::new("JSON of 1 KiB, server's CPU", 12_800, exchange)
    }

    /// A body that comes and goes.
    #[must_use]
    pub fn echo() -> Self {
        let exchange = Exchange::echo(vec![b'e'; ECHO]);
        Self::new("POST echo of 16 KiB, server's CPU", 6_400, exchange)
    }

    /// A file from the disk, which the system has in memory.
    #[must_use]
    pub fn file() -> Self {
        let exchange = Exchange::get(&format!("/files/{}", page::FILE), page::file());
        Self::new("file of 64 KiB, server's CPU", 3_200, exchange)
    }

    /// A WebSocket's message.
    #[must_use]
    pub fn message() -> Self {
        let exchange = Exchange::message(&[b'x'; 64]);
        Self::new("WebSocket echo of 64 B, server's CPU", 12_800, exchange)
    }

    /// Every one.
    #[must_use]
    pub fn all() -> [Self; 6] {
        [
            Self::get(),
            Self::pipelined(),
            Self::json(),
            Self::echo(),
            Self::file(),
            Self::message(),
        ]
    }
}
