//! What a client may use up.

use std::time::Duration;

/// The limits of a server. All are on by default.
///
/// ```
/// use aio::http::{App, Limits};
///
/// let limits = Limits { body: 16 * 1024 * 1024, ..Limits::default() };
/// let app = App::new().limits(limits);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may take to send the head of a request, from the moment the connection is open or the last
    /// response is sent; an idle connection is closed after this time, too. 30 s.
    pub header_time: Duration,
    /// The most header lines in a request: 100. More is answered with 431.
    pub headers: usize,
    /// The most bytes in the head of a request: 32 KiB. More is answered with 431.
    pub header_bytes: usize,
    /// The most bytes in a request's body that is read as a whole: 1 MiB. More is a
    /// [`BodyError::TooLarge`](super::BodyError::TooLarge), answered with 413.
    pub body: usize,
    /// The most open connections: 25,000. Those above it wait to be accepted.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_time: Duration::from_secs(30),
            headers: 100,
            header_bytes: 32 * 1024,
            body: 1024 * 1024,
            connections: 25_000,
        }
    }
}
