//! Where to start from with a process for each task. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_process_per_task` prints `285`.

#[procs::task]
fn work(n: u64) -> u64 {
    n * n
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    procs::init();
    let processes = (0..10).map(|n| procs::spawn(work, n));
    let mut processes = processes.collect::<Result<Vec<_>, _>>()?;
    let results = processes.iter_mut().map(procs::Process::join);
    println!("{}", results.sum::<Result<u64, _>>()?);
    Ok(())
}
