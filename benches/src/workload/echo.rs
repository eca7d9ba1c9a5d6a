//! A request to a TCP service that answers after a delay: pure waiting.

use std::net::SocketAddr;
use std::time::Duration;

use super::exchange::PATIENCE;
use super::{Exchange, mix};
use crate::Failed;

/// The question of this task: its number, eight bytes, and how long the service is to take, four bytes of
/// microseconds; the service gives the number back and closes.
pub fn ask(index: u32, delay: Duration, address: SocketAddr) -> Exchange {
    let patience = delay + PATIENCE;
    let delay = u32::try_from(delay.as_micros()).unwrap_or(u32::MAX);
    Exchange {
        address,
        patience,
        question: [&u64::from(index).to_be_bytes()[..], &delay.to_be_bytes()].concat(),
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
