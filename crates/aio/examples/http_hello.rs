//! Serves two pages, each after half a second; a thousand requests at once take no longer, on one thread.
//!
//! `cargo run -p aio --features http --example http_hello -- 8000` listens on port 8000 (0 picks a free one) and prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000...
//! ```
//!
//! `/` gives `<h1>Index</h1>`, `/hello/NAME` gives `<h1>hello, NAME!</h1>`. Ctrl-c stops it cleanly.

use std::{env, error::Error, time::Duration};

use aio::http::{App, Request, Response, escape, run_app};

async fn index(_: Request) -> Response {
    aio::sleep(Duration::from_millis(500)).await;
    Response::html("<h1>Index</h1>")
}

async fn hello(request: Request) -> Response {
    aio::sleep(Duration::from_millis(500)).await;
    let name = request.match_info("name").unwrap_or_default();
    Response::html(format!("<h1>hello, {}!</h1>", escape(name)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    let app = App::new().get("/", index).get("/hello/{name}", hello);
    run_app(app, ("127.0.0.1", port))?;
    Ok(())
}
