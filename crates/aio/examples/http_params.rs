//! Serves pages that show what the request said: its path, what the pattern matched, and its query.
//!
//! `cargo run -p aio --features http --example http_params -- 8000` listens on port 8000 (0 picks a free one) and prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000...
//! ```
//!
//! `/` gives its path, with status 201. `/ID` gives the id, and logs what was matched and the query on standard error.
//! Ctrl-c stops it cleanly.

use std::{env, error::Error};

use aio::http::{App, Request, StatusCode, run_app};

async fn index(request: Request) -> (StatusCode, String) {
    (StatusCode::CREATED, request.path().to_owned())
}

async fn show(request: Request) -> String {
    let matched: Vec<_> = request.matches().collect();
    eprintln!("matched {matched:?}, query {:?}", request.query_string());
    request.match_info("id").unwrap_or_default().to_owned()
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    run_app(
        App::new().get("/", index).get("/{id}", show),
        ("127.0.0.1", port),
    )?;
    Ok(())
}
