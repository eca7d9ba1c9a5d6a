//! WebSockets (RFC 6455), with permessage-deflate (RFC 7692).
//!
//! The codec is this crate's own: of those that are widely used, none compresses, and those that do have few users.

mod core;
mod deflate;
mod frame;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod handshake;
mod inbound;
mod options;
mod outbound;
mod socket;

#[cfg(feature = "client")]
pub(crate) use deflate::Terms;
#[cfg(feature = "client")]
pub(crate) use handshake::{accept_key, agreed, new_key, offer};
pub use options::WebSocketOptions;
#[cfg(feature = "client")]
pub(crate) use socket::Role;
pub use socket::{CloseFrame, Message, WebSocket, WebSocketSender};
