//! What may go wrong with a WebSocket.

use std::{error::Error, fmt};

/// Why a WebSocket cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The peer has broken the protocol, or a limit. It was told.
    Fault(WebSocketFault),
    /// One side has closed, or the connection is broken: nothing can be sent any more.
    Closed,
    /// The peer has fallen silent, or takes nothing any more.
    TimedOut,
    /// The system gives no random bytes to mask with what a client sends: the connection has ended.
    NoRandomness,
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebSocketError::Fault(fault) => {
                write!(f, "the WebSocket's peer made a mistake: {fault}")
            }
            WebSocketError::Closed => f.write_str("the WebSocket is closed: connect again"),
            WebSocketError::TimedOut => f.write_str(
                "the WebSocket's peer has fallen silent or takes nothing: connect again",
            ),
            WebSocketError::NoRandomness => f.write_str(
                "the WebSocket has ended: the system gives no random bytes to mask frames with",
            ),
        }
    }
}

impl Error for WebSocketError {}

/// What a WebSocket's peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketFault {
    /// It does not keep to the protocol (1002).
    Protocol(&'static str),
    /// What it sent cannot be read (1007).
    BadText(&'static str),
    /// A frame or a message is too large (1009).
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl WebSocketFault {
    /// The code that the connection is closed with.
    pub fn code(&self) -> u16 {
        match self {
            WebSocketFault::Protocol(_) => 1002,
            WebSocketFault::BadText(_) => 1007,
            WebSocketFault::TooLarge { .. } => 1009,
        }
    }
}

impl fmt::Display for WebSocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebSocketFault::Protocol(why) | WebSocketFault::BadText(why) => f.write_str(why),
            WebSocketFault::TooLarge { limit } => write!(f, "more than {limit} bytes"),
        }
    }
}
