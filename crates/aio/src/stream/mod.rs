//! Byte streams over sockets: readers, writers, and servers that hand them out.

mod connect;
mod reader;
mod server;
mod socket;
mod writer;

pub use connect::open_connection;
pub use reader::StreamReader;
#[cfg(feature = "http")]
pub(crate) use server::bind;
pub use server::{Outcome, Server, start_server};
pub use writer::StreamWriter;
