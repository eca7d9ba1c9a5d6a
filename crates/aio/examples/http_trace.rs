//! Watches a session's requests by a hook: how many connections they need, and how many bytes come.
//!
//! `cargo run -p aio --features client --example http_trace` prints
//!
//! ```text
//! 20 requests over 4 connections brought 220 bytes
//! ```

use std::{cell::Cell, error::Error, rc::Rc};

use aio::http::{App, ClientLimits, ClientSession, Request, TestServer, TraceEvent};

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let app = App::new().get("/", async |_: Request| "hello world");
        let server = TestServer::start(app).await?;
        let counts: Rc<[Cell<u64>; 3]> = Rc::default();
        let counting = counts.clone();
        let limits = ClientLimits {
            per_host: 4,
            ..ClientLimits::default()
        };
        let session = ClientSession::builder().limits(limits).no_proxy();
        let session = session.trace(move |_request, event| {
            let [ended, connections, bytes] = &*counting;
            match event {
                TraceEvent::Connected => connections.set(connections.get() + 1),
                TraceEvent::Ended { received } => {
                    ended.set(ended.get() + 1);
                    bytes.set(bytes.get() + *received);
                }
                _ => {}
            }
        });
        let session = session.build()?;
        let asking =
            (0..20).map(async |_| session.get(&server.url("/")).send().await?.text().await);
        aio::gather(asking).await?;
        let [ended, connections, bytes] = [0, 1, 2].map(|which| counts[which].get());
        println!("{ended} requests over {connections} connections brought {bytes} bytes");
        Ok(())
    })?
}
