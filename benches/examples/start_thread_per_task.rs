//! Where to start from with a thread for each task. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_thread_per_task` prints `328350`.

fn work(n: u64) -> u64 {
    n * n
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let started = (0..100).map(|n| threads::spawn(move || work(n)));
    let mut started = started.collect::<Result<Vec<_>, _>>()?;
    let results = started.iter_mut().map(threads::Thread::join);
    println!("{}", results.sum::<Result<u64, _>>()?);
    Ok(())
}
