//! Two coroutines at once on one thread: while one sleeps, the other runs.
//!
//! `cargo run -p aio --example two_hellos` prints, about a second between the second line and the third, and four times
//! the same thread:
//!
//! ```text
//! Hello, world! (ThreadId(1))
//! Hello, world! (ThreadId(1))
//! Hello, again! (ThreadId(1))
//! Hello, again! (ThreadId(1))
//! It took 1.0 s.
//! ```

use std::{
    thread,
    time::{Duration, Instant},
};

async fn hello() {
    println!("Hello, world! ({:?})", thread::current().id());
    aio::sleep(Duration::from_secs(1)).await;
    println!("Hello, again! ({:?})", thread::current().id());
}

fn main() -> Result<(), aio::RunError> {
    let begin = Instant::now();
    aio::run(async {
        let tasks = [aio::create_task(hello()), aio::create_task(hello())];
        aio::gather_settled(tasks).await;
    })?;
    println!("It took {:.1} s.", begin.elapsed().as_secs_f64());
    Ok(())
}
