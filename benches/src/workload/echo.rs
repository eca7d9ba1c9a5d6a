//! A request to a TCP service that answers after a delay: pure waiting.

use std::net::SocketAddr;

use super::{Exchange, mix};
use crate::Failed;

/// The question of this task: its number, eight bytes; the service gives them back and closes.
pub fn ask(index: u32, address: SocketAddr) -> Exchange {
    Exchange {
        address,
        question: u64::from(index).to_be_bytes().to_vec(),
        understand,
    }
}

fn understand(answer: &[u8]) -> Result<u64, Failed> {
    let bytes = answer.try_into().map_err(|_| {
        Failed::new(
            "reading the echo",
            format!("{} bytes came back instead of 8", answer.len()),
        )
    })?;
    Ok(mix(0, u64::from_be_bytes(bytes)))
}
