//! Two threads print; the system decides how they interleave.
//!
//! Run: `cargo run -p threads --example thread_interleave`
//!
//! ```text
//! 0
//! a
//! 1
//! b
//! 2
//! c
//! ```
//!
//! Each keeps its own order; between the two, any order may come.

use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

fn show(items: impl IntoIterator<Item = impl Display>) {
    for item in items {
        println!("{item}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut a = threads::spawn(|| show(0..3))?;
    let mut b = threads::spawn(|| show('a'..='c'))?;
    a.join()?;
    b.join()?;
    Ok(())
}
