//! Where to start from with a pool of processes. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_process_pool` prints `328350`.

#[procs::task]
fn work(n: u64) -> u64 {
    n * n
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    procs::init();
    let pool = procs::Pool::new(procs::cpu_count())?;
    let results: Vec<u64> = pool.map_collect(work, 0..100)?;
    println!("{}", results.iter().sum::<u64>());
    Ok(())
}
