//! Where to start from with an event loop in a process for each processor. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_prefork` prints `328350`.

async fn work(n: u64) -> std::io::Result<u64> {
    aio::sleep(std::time::Duration::from_millis(10)).await;
    Ok(n * n)
}

#[procs::task]
fn serve(first: u64, step: usize) -> Result<u64, String> {
    let mine = (first..100).step_by(step).map(work);
    let results = aio::run(async { aio::gather(mine).await });
    let results = results.map_err(|error| error.to_string())?;
    Ok(results.map_err(|error| error.to_string())?.iter().sum())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    procs::init();
    let count = procs::cpu_count();
    let processes = (0..count as u64).map(|first| procs::spawn(serve, (first, count)));
    let mut processes = processes.collect::<Result<Vec<_>, _>>()?;
    let mut sum = 0;
    for process in &mut processes {
        sum += process.join()??;
    }
    println!("{sum}");
    Ok(())
}
