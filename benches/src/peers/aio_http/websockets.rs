//! What a message over a WebSocket costs a server on one thread.

use super::case::Case;
use super::load::cpu_ns;
use super::page::Folder;
use super::{ours, site, tungstenite};
use crate::peers::{Contest, Row, Target};

const AT_ITS_BEST: &str = "tokio-tungstenite, 4 KiB buffer";
const BY_DEFAULT: &str = "tokio-tungstenite by default";

/// The rows of messages that come back.
pub fn rows(rounds: usize, folder: &Folder) -> Vec<Row> {
    let ours = site::start(ours::one_loop, folder);
    let small = site::start(tungstenite::small_buffer, folder);
    let roomy = site::start(tungstenite::by_default, folder);
    let case = Case::message();
    let turn = |server| cpu_ns(server, &case.exchange, case.requests);
    Contest::new("aio", case.name)
        .entrant("ours", || turn(&ours))
        .entrant(AT_ITS_BEST, || turn(&small))
        .entrant(BY_DEFAULT, || turn(&roomy))
        .goal("ours", &[AT_ITS_BEST], Target::Ratio(0.95))
        .goal("ours", &[BY_DEFAULT], Target::None)
        .run(rounds)
}
