//! A callback that schedules itself again prints the time until the end has come, then stops the loop.
//!
//! `cargo run -p aio --example display_date` prints five lines like this one, a fifth of a second apart:
//!
//! ```text
//! 12:00:00.0 UTC
//! ```

use std::{
    error::Error,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aio::EventLoop;

const PERIOD: Duration = Duration::from_millis(200);

fn clock() -> String {
    let day = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
        % 86_400_000;
    let (hours, minutes, seconds) = (day / 3_600_000, day / 60_000 % 60, day / 1000 % 60);
    format!(
        "{hours:02}:{minutes:02}:{seconds:02}.{} UTC",
        day / 100 % 10
    )
}

fn display_date(event_loop: EventLoop, end: Instant) {
    println!("{}", clock());
    let again = event_loop.clone();
    if event_loop.time() + PERIOD >= end {
        event_loop.stop();
    } else if let Err(error) = event_loop.call_later(PERIOD, move || display_date(again, end)) {
        eprintln!("{error}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::new()?;
    let end = event_loop.time() + 5 * PERIOD;
    let displaying = event_loop.clone();
    event_loop.call_soon(move || display_date(displaying, end))?;
    event_loop.run_forever()?;
    event_loop.close()?;
    Ok(())
}
