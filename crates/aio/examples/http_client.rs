//! GETs a URL with a session and prints the status and the text.
//!
//! `cargo run -p aio --features client --example http_client -- http://127.0.0.1:8000/hello/world` prints, with the example
//! `http_hello` serving there,
//!
//! ```text
//! 200 OK
//! <h1>hello, world!</h1>
//! ```
//!
//! Without a URL it asks a server that it starts itself, and prints `200 OK` and `hello, client!`.

use std::{env, error::Error};

use aio::http::{App, ClientSession, Request, TestServer};

async fn hello(_: Request) -> &'static str {
    "hello, client!"
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let own = TestServer::start(App::new().get("/", hello)).await?;
        let url = env::args().nth(1).unwrap_or(own.url("/"));
        let session = ClientSession::new()?;
        let response = session.get(&url).send().await?;
        println!("{}", response.status());
        println!("{}", response.text().await?);
        Ok(())
    })?
}
