//! Serves the echo: answers "PEER Your msg TEXT" to each message. Ctrl-c stops it cleanly.
//!
//! `cargo run -p aio --example echo_server -- 9999` listens on port 9999 (0 picks a free one) and prints
//!
//! ```text
//! Serving on 127.0.0.1:9999
//! ```
//!
//! Then `printf hi | nc 127.0.0.1 9999` gets, for example, `127.0.0.1:51234 Your msg hi`. With `per-core` as a second
//! argument a loop on each CPU serves its share of the clients, and it prints "Serving with 2 loops on 127.0.0.1:9999".

use std::{env, error::Error, io, time::Duration};

const PATIENCE: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("9999").parse()?;
    match env::args().nth(2).as_deref() {
        Some("per-core") => on_every_core(port),
        Some(other) => Err(format!("{other:?} is not per-core").into()),
        None => Ok(aio::run(on_one_loop(port))??),
    }
}

async fn on_one_loop(port: u16) -> io::Result<()> {
    let asked_to_stop = aio::shutdown_signal()?;
    let server = aio::echo::serve(("127.0.0.1", port)).await?;
    println!("Serving on {}", server.local_addr());
    asked_to_stop.await;
    server.close(PATIENCE).await;
    Ok(())
}

fn on_every_core(port: u16) -> Result<(), Box<dyn Error>> {
    let listener = aio::SharedListener::bind(("127.0.0.1", port))?;
    aio::run_per_core(async |core| {
        let server = aio::echo::serve_on(&listener)?;
        if core.index() == 0 {
            let asked_to_stop = aio::shutdown_signal()?;
            let (loops, address) = (core.count(), listener.local_addr());
            println!("Serving with {loops} loops on {address}");
            asked_to_stop.await;
            core.stop_all();
        }
        core.stopping().await;
        server.close(PATIENCE).await;
        Ok::<(), io::Error>(())
    })?;
    Ok(())
}
