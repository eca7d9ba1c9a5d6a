//! One coroutine stands aside for another: what is yielded and sent passes through, and its result comes back.
//!
//! ```text
//! $ cargo run -p coroutines --example delegate
//! sent 10, average 10
//! sent 20, average 15
//! sent 30, average 20
//! girls: 3 numbers, average 20
//! sent 5, average 5
//! sent 7, average 6
//! boys: 2 numbers, average 6
//! ```

use coroutines::{Co, Coroutine, CoroutineExt, CoroutineState::Yielded, coroutine};
use std::pin::{Pin, pin};

/// `None` ends it.
type Number = Option<u32>;

/// Keeps the average of what it is sent, and returns how many numbers that were, and their average.
async fn average(mut co: Co<'_, u32, Number>, first: Number) -> (u32, u32) {
    let (mut count, mut sum, mut next) = (0, 0, first);
    while let Some(n) = next {
        (count, sum) = (count + 1, sum + n);
        next = co.yield_(sum / count).await;
    }
    (count, sum / count.max(1))
}

/// Collects a result for each name. It does no arithmetic: the caller talks to `average` through it.
async fn report(mut co: Co<'_, u32, Number>, first: Number) {
    let mut next = first;
    for name in ["girls", "boys"] {
        let (count, average) = co.yield_from(pin!(coroutine(average)), next).await;
        println!("{name}: {count} numbers, average {average}");
        next = if name == "girls" {
            co.yield_(0).await
        } else {
            None
        };
    }
}

fn send(mut to: Pin<&mut impl Coroutine<Number, Yield = u32>>, numbers: &[u32]) {
    for n in numbers {
        if let Yielded(average) = to.send(Some(*n)) {
            println!("sent {n}, average {average}");
        }
    }
    let _ = to.send(None);
}

fn main() {
    let mut report = pin!(coroutine(report));
    send(report.as_mut(), &[10, 20, 30]);
    send(report.as_mut(), &[5, 7]);
}
