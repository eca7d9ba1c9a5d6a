//! Byte streams over sockets: readers, writers, and servers that hand them out.

mod connect;
mod connection;
mod link;
mod listen;
mod outbox;
mod protocol;
mod reader;
mod server;
mod shared;
mod socket;
mod transport;
mod udp;
mod unix;
mod unsent;
mod writer;

#[cfg(feature = "tls")]
pub(crate) use connect::connect;
pub use connect::open_connection;
#[cfg(feature = "http")]
pub(crate) use listen::Acceptor;
#[cfg(any(feature = "http", feature = "tls"))]
pub(crate) use listen::bind;
#[cfg(feature = "http")]
pub(crate) use listen::{lengthen, recover};
pub use protocol::{
    Protocol, create_connection, create_server, create_unix_connection, create_unix_server,
};
#[cfg(feature = "tls")]
pub(crate) use protocol::{attach, serve};
pub use reader::StreamReader;
#[cfg(feature = "tls")]
pub(crate) use server::handle;
pub use server::{Server, start_server};
pub use shared::SharedListener;
#[cfg(feature = "http")]
pub(crate) use shared::{Counted, Share};
pub(crate) use socket::{Io, share};
#[cfg(feature = "tls")]
pub(crate) use socket::{Socket, halves, share_tcp};
pub use transport::Transport;
pub use udp::DatagramEndpoint;
pub use unix::{open_unix_connection, start_unix_server};
pub use writer::StreamWriter;
