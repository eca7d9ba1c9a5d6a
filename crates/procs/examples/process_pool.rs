//! A pool of workers runs five tasks that were submitted without waiting.
//!
//! ```text
//! $ cargo run -p procs --example process_pool
//! Parent process 4711 has a pool of 2 workers.
//! Waiting for all subprocesses done...
//! Run task 0 (4712)...
//! Run task 1 (4713)...
//! Task 1 runs 0.13 seconds.
//! Run task 2 (4713)...
//! ...
//! All subprocesses done.
//! ```

use std::process;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use procs::Pool;

/// Sleeps a random time under a second. Nanoseconds of the clock are random enough here.
#[procs::task]
fn long_time_task(name: u32) -> f64 {
    println!("Run task {name} ({})...", process::id());
    let start = Instant::now();
    let clock = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    thread::sleep(Duration::from_millis(u64::from(
        clock.subsec_micros() % 1000,
    )));
    let seconds = start.elapsed().as_secs_f64();
    println!("Task {name} runs {seconds:.2} seconds.");
    seconds
}

#[procs::main]
fn main() {
    let workers = procs::cpu_count();
    println!(
        "Parent process {} has a pool of {workers} workers.",
        process::id()
    );
    let pool = Pool::new(workers).expect("the workers start");
    let jobs: Vec<_> = (0..5)
        .map(|name| pool.submit(long_time_task, name))
        .collect();
    println!("Waiting for all subprocesses done...");
    pool.join();
    for job in jobs {
        job.result().expect("every task ends well");
    }
    println!("All subprocesses done.");
}
