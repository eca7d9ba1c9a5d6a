//! A blocking function runs on a thread of its own; the loop's heart goes on beating meanwhile.
//!
//! `cargo run -p aio --example executor` prints
//!
//! ```text
//! the blocking function has returned 42
//! the loop's heart has gone on beating
//! ```

use std::{cell::Cell, error::Error, rc::Rc, thread, time::Duration};

fn blocking() -> u32 {
    thread::sleep(Duration::from_millis(300));
    42
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let beats = Rc::new(Cell::new(0));
        let counting = beats.clone();
        let heart = aio::create_task(async move {
            loop {
                aio::sleep(Duration::from_millis(10)).await;
                counting.set(counting.get() + 1);
            }
        });
        println!(
            "the blocking function has returned {}",
            aio::to_thread(blocking).await?
        );
        if beats.get() > 3 {
            println!("the loop's heart has gone on beating");
        }
        heart.abort();
        let ended: Result<(), _> = heart.await;
        drop(ended);
        Ok(())
    })?
}
