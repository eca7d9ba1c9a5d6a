//! A named thread, started and joined by the main thread.
//!
//! Run: `cargo run -p threads --example thread_hello`
//!
//! ```text
//! thread MainThread is running...
//! thread LoopThread is running...
//! thread LoopThread >>> 1
//! ...
//! thread LoopThread >>> 5
//! thread LoopThread ended.
//! thread MainThread ended.
//! ```

use std::error::Error;
use std::time::Duration;
use threads::{Thread, current};

fn count() {
    println!("thread {} is running...", current().name());
    for n in 1..=5 {
        println!("thread {} >>> {n}", current().name());
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("thread {} ended.", current().name());
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("thread {} is running...", current().name());
    let mut thread = Thread::builder().name("LoopThread").spawn(count)?;
    thread.join()?;
    println!("thread {} ended.", current().name());
    Ok(())
}
