//! The HTTP client.

mod options;
mod request;
mod response;
mod session;
#[cfg(feature = "ws")]
mod websocket;

pub use options::{ClientLimits, SessionBuilder};
pub use request::ClientRequest;
pub use response::ClientResponse;
pub use session::ClientSession;
