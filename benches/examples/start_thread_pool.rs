//! Where to start from with a pool of threads. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_thread_pool` prints `328350`.

fn work(n: u64) -> u64 {
    n * n
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = threads::Pool::new(std::thread::available_parallelism()?.get())?;
    let results = pool.map(work, 0..100);
    println!("{}", results.sum::<Result<u64, _>>()?);
    Ok(())
}
