//! Why the lock is there: a load and a store are two steps, and another thread may come between.
//!
//! Run: `cargo run -p threads --example lost_update`
//!
//! ```text
//! without a lock 73114 of 200000 updates were lost
//! with a lock 0 of 200000 updates were lost
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use threads::Lock;

const UPDATES: u64 = 100_000;

fn run_twice(update: impl Fn() + Send + Sync + 'static) -> Result<(), Box<dyn Error>> {
    let update = Arc::new(update);
    let mut threads = Vec::new();
    for _ in 0..2 {
        let update = update.clone();
        threads.push(threads::spawn(move || (0..UPDATES).for_each(|_| update()))?);
    }
    for thread in &mut threads {
        thread.join()?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let bare = Arc::new(AtomicU64::new(0));
    let count = bare.clone();
    run_twice(move || count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed))?;
    report("without", bare.load(Ordering::Relaxed));

    let locked = Arc::new(Lock::new(0));
    let count = locked.clone();
    run_twice(move || *count.lock() += 1)?;
    report("with", *locked.lock());
    Ok(())
}

fn report(how: &str, counted: u64) {
    let all = 2 * UPDATES;
    println!("{how} a lock {} of {all} updates were lost", all - counted);
}
