//! Our server by itself, without peers.

use std::time::Duration;

use super::case::Case;
use super::load::cpu_ns;
use super::page::Folder;
use super::{ours, site};
use crate::peers::server::Server;

/// Our server on one loop, until this is dropped.
pub struct Alone {
    server: Server,
    _folder: Folder,
}

impl Alone {
    /// Starts it in a process of its own: the program must call [`procs::init`] first.
    #[must_use]
    pub fn start() -> Self {
        let folder = Folder::create().expect("room for a file");
        Self {
            server: site::start(ours::one_loop, &folder),
            _folder: folder,
        }
    }

    /// The processor time of the server for so many of the case's requests, measured on about as many.
    #[must_use]
    pub fn cpu(&self, case: &Case, requests: u64) -> Duration {
        let about = usize::try_from(requests).unwrap_or(usize::MAX);
        let each = cpu_ns(&self.server, &case.exchange, about);
        Duration::from_nanos((each * requests as f64) as u64)
    }
}
