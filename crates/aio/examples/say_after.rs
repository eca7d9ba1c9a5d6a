//! Awaiting one coroutine after the other adds up their times; tasks run at once and take as long as the longest.
//!
//! `cargo run -p aio --example say_after` prints
//!
//! ```text
//! hello
//! world
//! one after the other: 0.3 s
//! hello
//! world
//! as tasks: 0.2 s
//! ```

use std::time::{Duration, Instant};

async fn say_after(delay: Duration, what: &'static str) {
    aio::sleep(delay).await;
    println!("{what}");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (short, long) = (Duration::from_millis(100), Duration::from_millis(200));
    aio::run(async {
        let begin = Instant::now();
        say_after(short, "hello").await;
        say_after(long, "world").await;
        println!(
            "one after the other: {:.1} s",
            begin.elapsed().as_secs_f64()
        );

        let begin = Instant::now();
        let hello = aio::create_task(say_after(short, "hello"));
        let world = aio::create_task(say_after(long, "world"));
        hello.await?;
        world.await?;
        println!("as tasks: {:.1} s", begin.elapsed().as_secs_f64());
        Ok(())
    })?
}
