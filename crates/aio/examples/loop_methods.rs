//! The loop's own methods, each in use once.
//!
//! `cargo run -p aio --example loop_methods` prints
//!
//! ```text
//! run_until_complete: 42
//! is_running inside: true, outside: false
//! call_soon
//! call_soon from another thread
//! call_later, then stop
//! run_forever has returned
//! is_closed: true
//! using it now: the event loop is closed: make a new one with EventLoop::new()
//! ```

use std::{error::Error, thread, time::Duration};

use aio::EventLoop;

fn main() -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::new()?;
    println!(
        "run_until_complete: {}",
        event_loop.run_until_complete(async { 42 })?
    );

    let inside = event_loop.run_until_complete(async { event_loop.is_running() })?;
    println!(
        "is_running inside: {inside}, outside: {}",
        event_loop.is_running()
    );

    let handle = event_loop.handle();
    event_loop.call_soon(move || {
        println!("call_soon");
        let thread = thread::spawn(move || {
            handle.call_soon_threadsafe(|| println!("call_soon from another thread"))
        });
        thread
            .join()
            .expect("it does not panic")
            .expect("the loop is open");
    })?;
    let stopping = event_loop.clone();
    event_loop.call_later(Duration::from_millis(50), move || {
        println!("call_later, then stop");
        stopping.stop();
    })?;
    event_loop.run_forever()?;
    println!("run_forever has returned");

    event_loop.close()?;
    println!("is_closed: {}", event_loop.is_closed());
    if let Err(error) = event_loop.call_soon(|| ()) {
        println!("using it now: {error}");
    }
    Ok(())
}
