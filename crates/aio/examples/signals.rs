//! A signal ends the program cleanly: the main coroutine waits for it, and what runs is cancelled and cleaned up.
//!
//! `cargo run -p aio --example signals` sends itself SIGTERM after a while and prints
//!
//! ```text
//! working; ctrl-c or SIGTERM ends it
//! SIGTERM came
//! the work has been cleaned up
//! ```

use std::{error::Error, process::Command, time::Duration};

async fn work() {
    let _guard = aio::on_cancel(async {
        aio::sleep(Duration::from_millis(10)).await;
        println!("the work has been cleaned up");
    });
    loop {
        aio::sleep(Duration::from_millis(20)).await;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let asked_to_stop = aio::shutdown_signal()?;
        println!("working; ctrl-c or SIGTERM ends it");
        aio::create_task(work()).detach();
        aio::sleep(Duration::from_millis(100)).await;
        let own_id = std::process::id().to_string();
        aio::to_thread(move || Command::new("kill").args(["-TERM", &own_id[..]]).status())
            .await??;
        println!("{} came", asked_to_stop.await);
        Ok(())
    })?
}
