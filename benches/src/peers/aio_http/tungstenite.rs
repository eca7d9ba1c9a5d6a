//! tokio-tungstenite on one thread, as its documentation has it, and with a smaller buffer.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::site::Site;

/// What its documentation advises for many connections with little to read.
const SMALL_BUFFER: usize = 4 * 1024;

async fn echo(stream: TcpStream, config: WebSocketConfig) {
    let accepted = accept_async_with_config(stream, Some(config)).await;
    let mut socket = accepted.expect("a handshake");
    while let Some(Ok(message)) = socket.next().await {
        // Sends and flushes: one write.
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

fn serve(site: &Site, config: WebSocketConfig) {
    super::on_one_thread(async {
        let listener = tokio::net::TcpListener::from_std(site.listen()).expect("it listens");
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            stream.set_nodelay(true).expect("the socket is ours");
            tokio::spawn(echo(stream, config));
        }
    });
}

/// With a buffer of 128 KiB, all of which is written with zeros before each read.
#[procs::task]
pub fn by_default(site: Site) {
    serve(&site, WebSocketConfig::default());
}

/// With a buffer of 4 KiB.
#[procs::task]
pub fn small_buffer(site: Site) {
    let config = WebSocketConfig::default().read_buffer_size(SMALL_BUFFER);
    serve(&site, config);
}
