//! The HTTP client.

mod connector;
mod cookie_jar;
mod exchange;
mod form_data;
mod limits;
mod log;
mod middleware;
mod options;
mod redirect;
mod request;
mod response;
mod session;
mod trace;
mod upload;
#[cfg(feature = "ws")]
mod websocket;

pub use cookie_jar::CookieJar;
pub use form_data::FormData;
pub use limits::ClientLimits;
pub use middleware::ClientNext;
pub use options::SessionBuilder;
pub use request::ClientRequest;
pub use response::ClientResponse;
pub use session::ClientSession;
pub use trace::{TraceEvent, TracedRequest};
