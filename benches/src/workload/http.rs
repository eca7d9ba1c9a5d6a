//! GET `/hello/{name}` from our own HTTP server, which answers after a delay: waiting, with a protocol.

use std::net::SocketAddr;

use super::exchange::PATIENCE;
use super::{Exchange, mix};
use crate::Failed;

/// The request of this task. It asks the server to close, so that the end of the stream is the end
/// of the answer and every model reads it alike.
pub fn ask(index: u32, address: SocketAddr) -> Exchange {
    let request =
        format!("GET /hello/task-{index} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    Exchange {
        address,
        patience: PATIENCE,
        question: request.into_bytes(),
        understand,
    }
}

fn understand(answer: &[u8]) -> Result<u64, Failed> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| Failed::new("reading the HTTP answer", "it ends before its head does"))?;
    if !head.starts_with("HTTP/1.1 200 ") {
        let status = head.lines().next().unwrap_or_default();
        return Err(Failed::new("reading the HTTP answer", status));
    }
    Ok(body
        .bytes()
        .fold(0, |hash, byte| mix(hash, u64::from(byte))))
}
