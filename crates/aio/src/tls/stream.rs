//! Streams that are encrypted from the start.

use std::{fmt, io, rc::Rc};

use tokio::net::{TcpStream, ToSocketAddrs};

use super::{
    ClientConfig, ServerConfig,
    upgrade::{secure_client, secure_server},
};
use crate::{
    current,
    outcome::Outcome,
    stream::{
        Server, Socket, StreamReader, StreamWriter, bind, connect, halves, handle, share_tcp,
    },
};

/// As [`open_connection`](crate::open_connection), encrypted. `server_name` is whom the server's certificate must name;
/// in Python it is taken from the address.
///
/// # Errors
///
/// As `open_connection`; and when the server's certificate is not trusted or names another, or the handshake takes too
/// long.
pub async fn open_connection<A>(
    address: A,
    server_name: &str,
    config: &ClientConfig,
) -> io::Result<(StreamReader, StreamWriter)>
where
    A: ToSocketAddrs + fmt::Debug,
{
    let socket = share_tcp(connect(address).await?)?;
    Ok(halves(secure_client(socket, server_name, config).await?))
}

/// As [`start_server`](crate::start_server), encrypted. The handler is called when the handshake is done. A client whose
/// handshake fails is hung up on; debug mode reports it.
///
/// # Errors
///
/// As `start_server`.
pub async fn start_server<A, H, O>(
    address: A,
    config: &ServerConfig,
    handler: H,
) -> io::Result<Server>
where
    A: ToSocketAddrs + fmt::Debug,
    H: AsyncFn(StreamReader, StreamWriter) -> O + 'static,
    O: Outcome + 'static,
{
    let shared = Rc::new((config.clone(), handler));
    Server::start(bind(address).await?, move |stream| {
        let shared = shared.clone();
        async move {
            let (config, handler) = &*shared;
            if let Some(socket) = welcome(stream, config).await {
                handle(handler, socket).await;
            }
        }
    })
}

/// A client's connection after its handshake; `None` when that has failed.
pub(super) async fn welcome(stream: TcpStream, config: &ServerConfig) -> Option<Rc<dyn Socket>> {
    // A client that hung up before it was served has no socket any more.
    let socket = share_tcp(stream).ok()?;
    match secure_server(socket, config).await {
        Ok(socket) => Some(socket),
        Err(error) => {
            report(&error);
            None
        }
    }
}

/// Anybody may knock with anything, so what is wrong with a handshake is of interest in debug mode only.
fn report(error: &io::Error) {
    if let Ok(engine) = current::engine()
        && engine.debug.is_on()
    {
        engine
            .reporter
            .report("a client's TLS handshake failed", None, error);
    }
}
