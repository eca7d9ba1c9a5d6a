//! A timeout cancels what it waits for; what a task does under `&mut` is shielded from it.
//!
//! `cargo run -p aio --example wait_for` prints
//!
//! ```text
//! timeout!
//! timeout again, but the task goes on
//! the shielded result: 42
//! ```

use std::time::Duration;

use aio::{TimedOut, create_task, sleep, wait_for};

async fn answer() -> u32 {
    sleep(Duration::from_millis(200)).await;
    42
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let patience = Duration::from_millis(50);
    aio::run(async {
        if let Err(TimedOut) = wait_for(answer(), patience).await {
            println!("timeout!");
        }
        let mut task = create_task(answer());
        if let Err(TimedOut) = wait_for(&mut task, patience).await {
            println!("timeout again, but the task goes on");
        }
        println!("the shielded result: {}", task.await?);
        Ok(())
    })?
}
