//! Where to start from with tasks that may crash or hang. Prints the results that there are, and why one is missing.
//!
//! `cargo run -p benches --example start_crashy_pool` prints `99 results, 1 failure`.

use std::time::Duration;

#[procs::task]
fn work(n: u64) -> u64 {
    if n == 13 {
        std::process::abort();
    }
    n * n
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    procs::init();
    let pool = procs::Pool::builder()
        .task_timeout(Duration::from_secs(60))
        .build()?;
    let jobs: Vec<_> = (0..100).map(|n| pool.submit(work, n)).collect();
    let results = jobs.into_iter().map(|job| job.result());
    let (done, failed): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
    for error in failed.iter().filter_map(|result| result.as_ref().err()) {
        eprintln!("{error}");
    }
    println!("{} results, {} failure", done.len(), failed.len());
    Ok(())
}
