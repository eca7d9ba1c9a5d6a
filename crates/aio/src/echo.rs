//! The echo server: answers each message with who sent it and what it said.

use std::{fmt, io};

use tokio::net::ToSocketAddrs;

use crate::stream::{Server, StreamReader, StreamWriter, start_server};

/// The most that is taken as one message, in bytes.
const MESSAGE: usize = 64 * 1024;

/// Serves the echo on `address`; see [`handle`] for what it answers.
///
/// # Errors
///
/// As [`start_server`].
///
/// ```
/// aio::run(async {
///     let server = aio::echo::serve("127.0.0.1:0").await?;
///     let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
///     writer.write(b"hi");
///     let expected = format!("{} Your msg hi", writer.local_addr()?);
///     assert_eq!(reader.read_exactly(expected.len()).await?, expected.as_bytes());
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn serve<A>(address: A) -> io::Result<Server>
where
    A: ToSocketAddrs + fmt::Debug,
{
    start_server(address, handle).await
}

/// Answers "PEER Your msg TEXT" to each message, which is what arrives at once, byte for byte, until the peer ends.
///
/// # Errors
///
/// When the connection fails.
pub async fn handle(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    let greeting = format!("{} Your msg ", writer.peer_addr()?);
    loop {
        let message = reader.read(MESSAGE).await?;
        if message.is_empty() {
            writer.close();
            return writer.wait_closed().await;
        }
        writer.write(greeting.as_bytes());
        writer.write(&message);
        writer.drain().await?;
    }
}
