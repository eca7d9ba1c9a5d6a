//! A timer, an event, a condition, a barrier and a semaphore, each in use once.
//!
//! Run: `cargo run -p threads --example timer_event`
//!
//! ```text
//! timer: rang after 20 ms
//! event: set by the timer
//! condition: saw 3 items
//! barrier: 2 threads met
//! semaphore: 2 permits of 3 left
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use threads::{Barrier, Condition, Event, Lock, Semaphore, Timer};

fn main() -> Result<(), Box<dyn Error>> {
    let rung = Arc::new(Event::new());
    let bell = rung.clone();
    Timer::after(Duration::from_millis(20), move || {
        println!("timer: rang after 20 ms");
        bell.set();
    })?;
    rung.wait();
    println!("event: set by the timer");

    let (items, grown) = (Lock::new(0), Condition::new());
    let barrier = Barrier::new(2);
    threads::scope(|s| {
        s.spawn(|| {
            for _ in 0..3 {
                *items.lock() += 1;
                grown.notify(1);
            }
            barrier.wait()
        })?;
        let mut seen = items.lock();
        grown.wait_while(&mut seen, |n| *n < 3);
        println!("condition: saw {seen} items");
        barrier.wait()?;
        println!("barrier: {} threads met", barrier.parties());
        Ok::<(), Box<dyn Error>>(())
    })?;

    let semaphore = Semaphore::new(3);
    let _permit = semaphore.acquire();
    println!("semaphore: {} permits of 3 left", semaphore.available());
    Ok(())
}
