//! What a client may use up.

use std::time::Duration;

/// The limits of a server. All are on by default; sizes are in bytes.
///
/// ```
/// use aio::http::{App, Limits};
///
/// let limits = Limits { body: 16 * 1024 * 1024, ..Limits::default() };
/// let app = App::new().limits(limits);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send the head of a request, from its first byte on; and how long to send that
    /// first byte once it is connected. 10 s. A head under way is answered with 408, over HTTP/2 with GOAWAY; one that
    /// never began is not answered.
    pub header_time: Duration,
    /// How long a connection may be idle between two requests: 75 s.
    pub keep_alive: Duration,
    /// How long a client may send nothing in the middle of a body that is waited for: 30 s. Answered with 408.
    pub body_idle: Duration,
    /// The fewest bytes a second that a body must come with, on average, once [`body_grace`](Limits::body_grace) has
    /// passed: 240. Answered with 408.
    pub body_rate: u64,
    /// How long a body may come at any speed: 10 s.
    pub body_grace: Duration,
    /// How long a client may take none of the bytes that are sent to it: 30 s. Its connection is then reset. Over HTTP/2
    /// it takes none, too, when a response waits for it to open a window, and no other response moves on.
    pub write_stall: Duration,
    /// The longest request line: 8 KiB. More is answered with 414. Over HTTP/2, the longest path with its query.
    pub request_line: usize,
    /// The longest header line: 8 KiB. More is answered with 431.
    pub header_field: usize,
    /// The most header lines in a request: 100. More is answered with 431.
    pub headers: usize,
    /// The most bytes in the head of a request: 32 KiB, but never more than 16 KiB over HTTP/2. More is answered with 431;
    /// over HTTP/2 a head that is many times as long ends the connection.
    pub header_bytes: usize,
    /// The most bytes in a request's body that is read as a whole: 1 MiB. More is a
    /// [`BodyError::TooLarge`](super::BodyError::TooLarge), answered with 413. A body that is read
    /// [piece by piece](super::Request::chunk) has no bound but the handler's.
    pub body: usize,
    /// The most parts in a multipart form: 1,000.
    pub parts: usize,
    /// The most bytes in the head of one part of a multipart form: 8 KiB.
    pub part_headers: usize,
    /// The most bytes in a multipart form: 64 MiB.
    pub form_bytes: u64,
    /// The most open connections: 25,000, or 80 % of the descriptors that the process may have, whichever is less. When
    /// there are more, the one that has been open longest of those that are idle is closed; when none is idle, further
    /// ones wait to be accepted.
    pub connections: usize,
    /// The most requests that are handled at once: 25,000. More are answered with 503 and `Retry-After`.
    pub requests: usize,
    /// The most requests at once on one HTTP/2 connection: 100. Further streams are refused; a request whose handler
    /// goes on though the client has taken its stream back counts, and one too many is answered with 503.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_time: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            body_idle: Duration::from_secs(30),
            body_rate: 240,
            body_grace: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            request_line: 8 * 1024,
            header_field: 8 * 1024,
            headers: 100,
            header_bytes: 32 * 1024,
            body: 1024 * 1024,
            parts: 1000,
            part_headers: 8 * 1024,
            form_bytes: 64 * 1024 * 1024,
            connections: 25_000,
            requests: 25_000,
            streams: 100,
        }
    }
}
