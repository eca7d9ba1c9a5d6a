//! Connecting to a server, and finding addresses.

use std::{fmt, io, net::SocketAddr};

use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};

use super::{
    reader::StreamReader,
    socket::{halves, share_tcp},
    writer::StreamWriter,
};
use crate::current;

/// Connects to `address`, such as `"127.0.0.1:9999"` or `("localhost", 9999)`, and gives the two halves of the
/// connection. Names are resolved off the loop; their addresses are tried in turn.
///
/// Dropping the future before it is done closes the half-made connection. For a time limit use
/// [`wait_for`](crate::wait_for).
///
/// # Errors
///
/// What the last address tried gave, with the address in the text. Outside a loop, an error that wraps
/// [`NoRunningLoop`](crate::NoRunningLoop).
///
/// An example is at [`StreamReader`].
pub async fn open_connection<A>(address: A) -> io::Result<(StreamReader, StreamWriter)>
where
    A: ToSocketAddrs + fmt::Debug,
{
    Ok(halves(share_tcp(connect(address).await?)?))
}

/// Connects to the first of the address's meanings that can be connected to.
pub(crate) async fn connect<A>(address: A) -> io::Result<TcpStream>
where
    A: ToSocketAddrs + fmt::Debug,
{
    let what = format!("{address:?}");
    let mut failure = None;
    for candidate in resolve(address).await? {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                failure = Some(explain(
                    "connect to",
                    candidate,
                    error,
                    "is a server listening there?",
                ))
            }
        }
    }
    Err(failure.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("{what} has no address"))
    }))
}

/// The socket addresses that `address` means.
pub(crate) async fn resolve<A>(address: A) -> io::Result<Vec<SocketAddr>>
where
    A: ToSocketAddrs + fmt::Debug,
{
    current::engine()?;
    let what = format!("{address:?}");
    match lookup_host(address).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("cannot find the address {what}: {error} (expected HOST:PORT)"),
        )),
    }
}

/// The same kind of error, with what was tried and what to do.
pub(crate) fn explain(
    tried: &str,
    address: SocketAddr,
    error: io::Error,
    advice: &str,
) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {tried} {address}: {error}; {advice}"),
    )
}
