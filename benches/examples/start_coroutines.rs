//! Where to start from with coroutines that are resumed in turn. Prints the sum of what they yield.
//!
//! `cargo run -p benches --example start_coroutines` prints `328350`.

use coroutines::{Co, generator};

fn main() {
    let steps = |first: u64| {
        generator(async move |mut co: Co<'_, u64>| {
            for n in (first..100).step_by(2) {
                co.yield_(n * n).await;
            }
        })
        .boxed()
    };
    let (mut even, mut odd) = (steps(0), steps(1));
    let in_turn = std::iter::from_fn(|| Some(even.next()? + odd.next()?));
    println!("{}", in_turn.sum::<u64>());
}
