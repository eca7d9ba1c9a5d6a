//! A generator in a `for` loop, by `next`, and what it returns at its end.
//!
//! ```text
//! $ cargo run -p coroutines --example generator_for_loop
//! for: 1 1 2 3 5 8
//! returned: 6 numbers
//! next: Some(1)
//! next: Some(1)
//! next: None
//! next: None
//! ```

use coroutines::{Co, generator};
use std::pin::pin;

async fn fibonacci(mut co: Co<'_, u32>, max: usize) -> String {
    let (mut a, mut b) = (1, 1);
    for _ in 0..max {
        co.yield_(a).await;
        (a, b) = (b, a + b);
    }
    format!("{max} numbers")
}

fn main() {
    let mut six = pin!(generator(async |co: Co<'_, u32>| fibonacci(co, 6).await));
    print!("for:");
    for n in six.by_ref() {
        print!(" {n}");
    }
    println!();
    // Python hides it in StopIteration; a `for` loop drops it there, and can have it here.
    println!(
        "returned: {}",
        six.as_mut().take_return().unwrap_or_default()
    );

    let mut two = pin!(generator(async |co: Co<'_, u32>| fibonacci(co, 2).await));
    for _ in 0..4 {
        println!("next: {:?}", two.next());
    }
}
