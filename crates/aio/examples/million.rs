//! One million coroutines asleep at once on one thread. Build it with `--release`.
//!
//! `cargo run --release -p aio --example million` prints, for example,
//!
//! ```text
//! 1000000 coroutines slept at once, in 1.9 s
//! 232 bytes each at the peak (222 MiB)
//! ```
//!
//! The count can be given as the first argument.

use std::{
    cell::Cell,
    env,
    error::Error,
    fs,
    rc::Rc,
    time::{Duration, Instant},
};

const DEFAULT: usize = 1_000_000;

/// The most memory that this process has held, in bytes.
fn peak() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .ok_or("no peak in /proc/self/status")?;
    let kilobytes: usize = line
        .split_whitespace()
        .nth(1)
        .ok_or("no number in it")?
        .parse()?;
    Ok(kilobytes * 1024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = env::args()
        .nth(1)
        .map_or(Ok(DEFAULT), |count| count.parse())?;
    let (before, begin) = (peak()?, Instant::now());
    aio::run(async {
        // All wake at the same time, when the last has long been asleep.
        let end = Instant::now() + Duration::from_millis(1500);
        let awake = Rc::new(Cell::new(0));
        for _ in 0..count {
            let awake = awake.clone();
            let sleeper = async move {
                aio::sleep_until(end).await;
                awake.set(awake.get() + 1);
            };
            aio::create_task(sleeper).detach();
        }
        while awake.get() < count {
            aio::sleep_until(end).await;
        }
    })?;
    println!(
        "{count} coroutines slept at once, in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    let used = peak()? - before;
    println!(
        "{} bytes each at the peak ({} MiB)",
        used / count.max(1),
        used >> 20
    );
    Ok(())
}
