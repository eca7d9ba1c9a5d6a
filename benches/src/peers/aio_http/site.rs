//! What a server is told when it starts.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use nix::sys::socket::{Backlog, listen};
use serde::{Deserialize, Serialize};

use crate::peers::server::{ANY_PORT, Server, report};

/// Where its files are, and whom to tell where it listens.
#[derive(Serialize, Deserialize)]
pub struct Site {
    report_to: SocketAddr,
    /// What is in it is under `/files`.
    pub folder: PathBuf,
}

impl Site {
    /// Listens at a free port, and has told so.
    pub fn listen(&self) -> TcpListener {
        let listener = TcpListener::bind(ANY_PORT).expect("a free port");
        // The standard library has 128 connections wait at most; two thousand at once would wait for seconds.
        let waiting = Backlog::new(4096).expect("the system's own limit is as high");
        listen(&listener, waiting).expect("the socket is ours");
        let address = listener.local_addr().expect("a bound socket");
        listener.set_nonblocking(true).expect("the socket is ours");
        report(self.report_to, address).expect("somebody waits");
        listener
    }
}

/// Starts one of our program's servers, with the files of `folder`.
pub fn start<T>(server: T, folder: &super::page::Folder) -> Server
where
    T: procs::Task<Args = Site, Output = ()>,
{
    let folder = folder.0.clone();
    Server::start_with(server, |report_to| Site { report_to, folder })
}
