//! A master hands jobs to workers over a queue; `task_done` and `join` tell it when all are done.
//!
//! Run: `cargo run -p threads --example thread_master_worker`
//!
//! ```text
//! worker-1: 0 * 0 = 0
//! ... (nine lines more, in any order)
//! all done: 285
//! ```

use std::error::Error;
use std::sync::Arc;
use threads::{Lock, Queue, Shutdown, Thread};

fn main() -> Result<(), Box<dyn Error>> {
    let jobs = Queue::unbounded();
    let sum = Arc::new(Lock::new(0));

    let mut workers = Vec::new();
    for id in 1..=3 {
        let (jobs, sum) = (jobs.clone(), sum.clone());
        let worker = Thread::builder().name(format!("worker-{id}"));
        workers.push(worker.spawn(move || {
            while let Ok(n) = jobs.get() {
                println!("{}: {n} * {n} = {}", threads::current().name(), n * n);
                *sum.lock() += n * n;
                jobs.task_done()?;
            }
            Ok::<(), threads::TooManyTasksDone>(())
        })?);
    }

    for n in 0..10 {
        jobs.put(n)?;
    }
    jobs.join();
    println!("all done: {}", sum.lock());

    jobs.shutdown(Shutdown::Immediate);
    for worker in &mut workers {
        worker.join()??;
    }
    Ok(())
}
