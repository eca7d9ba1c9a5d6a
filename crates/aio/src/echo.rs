//! The echo server: answers each message with who sent it and what it said.

use std::{fmt, io};

use tokio::net::ToSocketAddrs;

use crate::stream::{Server, SharedListener, StreamReader, StreamWriter, start_server};

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

/// Serves the echo on the running loop's share of `listener`'s connections: called on each of several loops, it echoes
/// across CPUs.
///
/// # Errors
///
/// As [`SharedListener::start_server`].
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream, time::Duration};
///
/// let listener = aio::SharedListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr())?;
/// client.write_all(b"hi")?;
/// let expected = format!("{} Your msg hi", client.local_addr()?);
/// let client = std::thread::spawn(move || {
///     let mut answer = vec![0; expected.len()];
///     client.read_exact(&mut answer).unwrap();
///     assert_eq!(answer, expected.as_bytes());
/// });
/// aio::run_per_core(async |core| {
///     let server = aio::echo::serve_on(&listener)?;
///     while !client.is_finished() {
///         aio::sleep(Duration::from_millis(1)).await;
///     }
///     server.close(Duration::from_secs(1)).await;
///     Ok::<(), std::io::Error>(())
/// })?;
/// client.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve_on(listener: &SharedListener) -> io::Result<Server> {
    listener.start_server(handle)
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
