//! Where to start from with an event loop. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_event_loop` prints `328350`.

async fn work(n: u64) -> std::io::Result<u64> {
    aio::sleep(std::time::Duration::from_millis(10)).await;
    Ok(n * n)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let results = aio::run(async { aio::gather((0..100).map(work)).await })??;
    println!("{}", results.iter().sum::<u64>());
    Ok(())
}
