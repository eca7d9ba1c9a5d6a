//! Serves a WebSocket at `/ws` that sends back what it gets, text and bytes alike.
//!
//! `cargo run -p aio --features ws --example websocket_echo -- 8000` listens on port 8000 (0 picks a free one) and prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000...
//! ```
//!
//! Ctrl-c stops it cleanly: the clients are told that the server goes away.

use std::{env, error::Error};

use aio::http::{App, Request, Response, WebSocket, WebSocketError, WebSocketOptions, run_app};

async fn echo(request: Request) -> Response {
    let options = WebSocketOptions {
        deflate: true,
        ..WebSocketOptions::default()
    };
    WebSocket::upgrade_with(options, request, async |mut socket: WebSocket| {
        while let Some(message) = socket.receive().await? {
            socket.send(message).await?;
        }
        Ok::<(), WebSocketError>(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    run_app(App::new().get("/ws", echo), ("127.0.0.1", port))?;
    Ok(())
}
