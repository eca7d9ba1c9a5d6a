//! Protocols whose bytes are encrypted.

use std::{fmt, io, rc::Rc};

use tokio::net::ToSocketAddrs;

use super::{ClientConfig, ServerConfig, stream::welcome, upgrade::secure_client};
use crate::stream::{Protocol, Server, Transport, attach, bind, connect, serve, share_tcp};

/// As [`create_connection`](crate::create_connection), encrypted. `server_name` is whom the server's certificate must
/// name. The protocol hears of the connection when the handshake is done.
///
/// # Errors
///
/// As [`open_connection`](super::open_connection).
pub async fn create_connection<A, F, P>(
    address: A,
    server_name: &str,
    config: &ClientConfig,
    factory: F,
) -> io::Result<Transport>
where
    A: ToSocketAddrs + fmt::Debug,
    F: FnOnce() -> P,
    P: Protocol,
{
    let socket = share_tcp(connect(address).await?)?;
    let socket = secure_client(socket, server_name, config).await?;
    attach(socket, factory())
}

/// As [`create_server`](crate::create_server), encrypted. A protocol is made when the handshake is done.
///
/// # Errors
///
/// As [`start_server`](super::start_server).
pub async fn create_server<A, F, P>(
    address: A,
    config: &ServerConfig,
    factory: F,
) -> io::Result<Server>
where
    A: ToSocketAddrs + fmt::Debug,
    F: Fn() -> P + 'static,
    P: Protocol,
{
    let shared = Rc::new((config.clone(), factory));
    Server::start(bind(address).await?, move |stream| {
        let shared = shared.clone();
        async move {
            let (config, factory) = &*shared;
            if let Some(socket) = welcome(stream, config).await {
                serve(socket, factory()).await;
            }
        }
    })
}
