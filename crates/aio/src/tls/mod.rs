//! Encrypted connections (feature `tls`), by rustls.
//!
//! [`ServerConfig`] and [`ClientConfig`] hold what Python's `ssl.SSLContext` holds: certificates, keys, whom to trust.
//! With one of them [`start_server`] and [`open_connection`] give the same readers and writers as their namesakes
//! without encryption, and so do [`create_server`] and [`create_connection`] for protocols; [`connect`] and [`accept`] encrypt a connection that is open, as `start_tls` does.
//!
//! TLS 1.2 and 1.3, always with the server's certificate and name checked. A handshake that does not end within 10 s
//! is an error, unless [`handshake_timeout`](ServerConfig::handshake_timeout) says otherwise. A connection that ends
//! without the peer's farewell is [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) and not an end: somebody may
//! have cut it.
//!
//! ```
//! use aio::{StreamReader, StreamWriter, tls};
//!
//! # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! # let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
//! // PEM texts, or files with from_pem_files.
//! let server_config = tls::ServerConfig::from_pem(&certificate, &key)?;
//! let client_config = tls::ClientConfig::with_roots(&certificate)?;
//! aio::run(async {
//!     let greet = async |_reader: StreamReader, writer: StreamWriter| writer.write(b"hello, in private");
//!     let server = tls::start_server("127.0.0.1:0", &server_config, greet).await?;
//!     let address = server.local_addr();
//!     let (mut reader, _writer) = tls::open_connection(address, "localhost", &client_config).await?;
//!     assert_eq!(reader.read_to_end().await?, b"hello, in private");
//!     Ok::<(), std::io::Error>(())
//! })??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod pem;
mod protocol;
mod server;
mod stream;
mod upgrade;

pub use client::ClientConfig;
pub use protocol::{create_connection, create_server};
pub use server::ServerConfig;
pub use stream::{open_connection, start_server};
/// The library that does the work, for configurations beyond what is here.
pub use tokio_rustls::rustls;
pub use upgrade::{accept, connect};
