//! A master hands work to three workers. One of them is killed in the middle of a task, and no task is lost.
//!
//! ```text
//! $ cargo run -p procs --example process_master_worker
//! Worker 4713 died: worker 4713 died while it ran this task: it was killed by signal 9 (SIGKILL: ...)
//! Task 4 is done again.
//! Task 0: 0
//! Task 1: 1
//! Task 2: 4
//! ...
//! Task 9: 81
//! ```

use std::thread;
use std::time::Duration;

use procs::{JobError, Pool};

#[procs::task]
fn square(n: u64, unlucky: bool) -> u64 {
    if unlucky {
        // The kernel does this to a process for which there is not enough memory.
        let me = std::process::id().to_string();
        let _ = std::process::Command::new("kill")
            .args(["-KILL", &me])
            .status();
    }
    thread::sleep(Duration::from_millis(20));
    n * n
}

#[procs::main]
fn main() {
    let master = Pool::new(3).expect("the workers start");
    let jobs: Vec<_> = (0..10)
        .map(|n| master.submit(square, (n, n == 4)))
        .collect();
    let mut results = Vec::new();
    for (n, job) in (0..).zip(jobs) {
        results.push(match job.result() {
            Err(error @ JobError::WorkerDied { pid, .. }) => {
                println!("Worker {pid} died: {error}");
                println!("Task {n} is done again.");
                master
                    .apply(square, (n, false))
                    .expect("this time it is lucky")
            }
            result => result.expect("every other task ends well"),
        });
    }
    for (n, result) in results.iter().enumerate() {
        println!("Task {n}: {result}");
    }
}
