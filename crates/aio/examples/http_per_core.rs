//! Serves one address with a loop on each CPU. Each loop has an app of its own; what they share is an `Arc` or a static.
//!
//! `cargo run -p aio --features http --example http_per_core -- 8000` listens on port 8000 (0 picks a free one) and prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000...
//! ```
//!
//! `/` gives how many requests have come, and the thread that answers. Ctrl-c stops all loops cleanly.

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use aio::http::{App, Request, run_app_per_core};

async fn count(request: Request) -> Option<String> {
    let hits = request.state::<Arc<AtomicU64>>()?;
    let number = 1 + hits.fetch_add(1, Ordering::Relaxed);
    let thread = thread::current();
    Some(format!("{number} {}", thread.name()?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    let hits = Arc::new(AtomicU64::new(0));
    let app = || App::new().state(hits.clone()).get("/", count);
    run_app_per_core(app, ("127.0.0.1", port))?;
    Ok(())
}
