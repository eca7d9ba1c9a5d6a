//! Serves the echo: answers "PEER Your msg TEXT" to each message. Ctrl-c stops it cleanly.
//!
//! `cargo run -p aio --example echo_server -- 9999` listens on port 9999 (0 picks a free one) and prints
//!
//! ```text
//! Serving on 127.0.0.1:9999
//! ```
//!
//! Then `printf hi | nc 127.0.0.1 9999` gets, for example, `127.0.0.1:51234 Your msg hi`.

use std::{env, error::Error, time::Duration};

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("9999").parse()?;
    aio::run(async {
        let asked_to_stop = aio::shutdown_signal()?;
        let server = aio::echo::serve(("127.0.0.1", port)).await?;
        println!("Serving on {}", server.local_addr());
        asked_to_stop.await;
        server.close(Duration::from_secs(1)).await;
        Ok(())
    })?
}
