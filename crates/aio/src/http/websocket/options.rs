//! How a WebSocket behaves, and what its peer may use up.

use std::time::Duration;

/// The limits and the manners of a WebSocket. Sizes are in bytes.
///
/// ```
/// use aio::http::WebSocketOptions;
///
/// let options = WebSocketOptions { deflate: true, ..WebSocketOptions::default() };
/// assert_eq!(options.message, 4 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// The longest message: 4 MiB, also after decompression. More closes the connection with 1009.
    pub message: usize,
    /// The longest frame: 1 MiB. A longer one closes the connection with 1009 before anything of it is read.
    pub frame: usize,
    /// The most frames of one message: 16,384.
    pub fragments: usize,
    /// How long the peer may be silent before it is pinged, and how long it may then stay silent before the connection is
    /// given up: 30 s. None never pings.
    pub ping: Option<Duration>,
    /// How long a peer may take none of what is sent to it: 30 s.
    pub write_stall: Duration,
    /// How long the peer's half of the closing handshake is waited for: 5 s.
    pub close: Duration,
    /// Whether messages may be compressed, if the peer can. Off: it costs memory for each connection, and a message that
    /// holds a secret beside what a stranger can choose may give the secret away by its length.
    pub deflate: bool,
    /// The subprotocols that are spoken, the best first. The first that the client speaks, too, is agreed on.
    pub protocols: Vec<String>,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        let half_a_minute = Duration::from_secs(30);
        WebSocketOptions {
            message: 4 * 1024 * 1024,
            frame: 1024 * 1024,
            fragments: 16_384,
            ping: Some(half_a_minute),
            write_stall: half_a_minute,
            close: Duration::from_secs(5),
            deflate: false,
            protocols: Vec::new(),
        }
    }
}
