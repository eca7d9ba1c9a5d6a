//! What a request of ours may use up.

use std::time::Duration;

/// What a request of ours may use up. All are on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// A whole request, from the wait for a free connection to the last byte of the body: 300 s.
    pub total: Duration,
    /// Finding the address, connecting, and TLS: 10 s.
    pub connect: Duration,
    /// How long a server may send nothing, and take nothing of an upload: 60 s.
    pub read: Duration,
    /// Requests at once: 100. More wait.
    pub connections: usize,
    /// Requests at once to one host and port: 32. More wait.
    pub per_host: usize,
    /// How long an idle connection is kept for the next request: 15 s, less than servers keep theirs.
    pub idle: Duration,
    /// Redirects that are followed: 10.
    pub redirects: usize,
    /// Header lines of a response: 100.
    pub headers: usize,
    /// The bytes of a response's body, decompressed: 100 MiB.
    pub body: u64,
    /// How often a request that may be repeated (GET, HEAD, PUT, DELETE, OPTIONS) is repeated when the connection breaks
    /// before any answer: once.
    pub retries: u32,
}

impl Default for ClientLimits {
    fn default() -> Self {
        ClientLimits {
            total: Duration::from_secs(300),
            connect: Duration::from_secs(10),
            read: Duration::from_secs(60),
            connections: 100,
            per_host: 32,
            idle: Duration::from_secs(15),
            redirects: 10,
            headers: 100,
            body: 100 * 1024 * 1024,
            retries: 1,
        }
    }
}
