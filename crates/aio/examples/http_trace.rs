//! Counts what a session does by its hook: requests under way, connections, bytes, the slowest answer.
//!
//! `cargo run -p aio --features client --example http_trace` prints
//!
//! ```text
//! 20 requests ended, 0 failed, over 4 connections
//! 220 bytes came, 0 requests are under way
//! ```

use std::{cell::RefCell, error::Error, rc::Rc};

use aio::http::{App, ClientLimits, ClientSession, Request, TestServer, TraceEvent};

#[derive(Default)]
struct Counts {
    under_way: u32,
    ended: u32,
    failed: u32,
    connections: u32,
    bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let app = App::new().get("/", async |_: Request| "hello world");
        let server = TestServer::start(app).await?;
        let counts = Rc::new(RefCell::new(Counts::default()));
        let counting = counts.clone();
        let limits = ClientLimits {
            per_host: 4,
            ..ClientLimits::default()
        };
        let session = ClientSession::builder().limits(limits).no_proxy();
        let session = session.trace(move |_request, event| {
            let counts = &mut *counting.borrow_mut();
            match event {
                TraceEvent::Started { .. } => counts.under_way += 1,
                TraceEvent::Connected => counts.connections += 1,
                TraceEvent::Received { bytes } => counts.bytes += *bytes as u64,
                TraceEvent::Ended { .. } => {
                    (counts.under_way, counts.ended) = (counts.under_way - 1, counts.ended + 1)
                }
                TraceEvent::Failed { .. } | TraceEvent::Cancelled => {
                    (counts.under_way, counts.failed) = (counts.under_way - 1, counts.failed + 1);
                }
                _ => {}
            }
        });
        let session = session.build()?;
        let asking =
            (0..20).map(async |_| session.get(&server.url("/")).send().await?.text().await);
        aio::gather(asking).await?;
        let counts = counts.borrow();
        println!(
            "{} requests ended, {} failed, over {} connections",
            counts.ended, counts.failed, counts.connections
        );
        println!(
            "{} bytes came, {} requests are under way",
            counts.bytes, counts.under_way
        );
        Ok(())
    })?
}
