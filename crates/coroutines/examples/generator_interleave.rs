//! Two generators on one thread, resumed in turn by a loop: three calls each, and neither is a thread.
//!
//! ```text
//! $ cargo run -p coroutines --example generator_interleave
//! 0
//! a
//! 1
//! b
//! 2
//! c
//! ```

use coroutines::{Co, generator};

fn main() {
    let digits = generator(async |mut co: Co<'_, ()>| {
        for i in 0..3 {
            println!("{i}");
            co.yield_(()).await;
        }
    });
    let letters = generator(async |mut co: Co<'_, ()>| {
        for c in ["a", "b", "c"] {
            println!("{c}");
            co.yield_(()).await;
        }
    });

    // Each has a type of its own; boxed, they fit in one list.
    let mut turns = vec![digits.boxed(), letters.boxed()];
    while !turns.is_empty() {
        turns.retain_mut(|turn| turn.next().is_some());
    }
}
