//! Serves behind a proxy on the same machine: on a port and, if a path is given, on a Unix socket; and tells who asked,
//! as the proxy says.
//!
//! `cargo run -p aio --features http --example http_behind_proxy -- 8000 /run/app/app.sock` prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000, unix:/run/app/app.sock...
//! ```
//!
//! `/` gives the client's address, the scheme and the host that it asked. Ctrl-c stops it cleanly, and the socket's file
//! is removed. The book's chapter has nginx's side.

use std::{env, error::Error, time::Duration};

use aio::http::{App, Listener, Request, TrustedProxies, serve_until_signal};

async fn who(request: Request) -> String {
    let client = request.client_ip().map(|ip| ip.to_string());
    let client = client.as_deref().unwrap_or("somebody");
    let host = request.host().unwrap_or("nobody");
    format!("{client} asks {}://{host}\n", request.scheme())
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    let proxies: TrustedProxies = "127.0.0.1, ::1, unix".parse()?;
    let app = App::new().behind(proxies).request_ids().get("/", who);
    aio::run(async {
        let mut listeners = vec![Listener::tcp(("127.0.0.1", port)).await?];
        if let Some(path) = env::args().nth(2) {
            listeners.push(Listener::unix(path).await?);
        }
        serve_until_signal(app, listeners, Duration::from_secs(30)).await
    })??;
    Ok(())
}
