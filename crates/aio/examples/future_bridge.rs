//! An API that calls back becomes one that is awaited.
//!
//! `cargo run -p aio --example future_bridge` prints
//!
//! ```text
//! waiting
//! the callback said: Hello, future!
//! ```

use std::{error::Error, time::Duration};

/// An API as they were before coroutines: it returns at once and calls back later.
fn ask(done: impl FnOnce(String) + 'static) -> Result<(), Box<dyn Error>> {
    let event_loop = aio::get_running_loop()?;
    event_loop.call_later(Duration::from_millis(50), || {
        done("Hello, future!".to_owned())
    })?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let (setter, answer) = aio::create_future();
        ask(move |text| setter.set(text))?;
        println!("waiting");
        println!("the callback said: {}", answer.await?);
        Ok(())
    })?
}
