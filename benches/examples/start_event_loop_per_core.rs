//! Where to start from with an event loop on a thread for each processor. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_event_loop_per_core` prints `328350`.

async fn work(n: u64) -> std::io::Result<u64> {
    aio::sleep(std::time::Duration::from_millis(10)).await;
    Ok(n * n)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sums = aio::run_per_core(async |this| {
        let mine = (0..100).skip(this.index()).step_by(this.count());
        let results: Vec<u64> = aio::gather(mine.map(work)).await?;
        Ok::<u64, std::io::Error>(results.iter().sum())
    })?;
    println!("{}", sums.iter().sum::<u64>());
    Ok(())
}
