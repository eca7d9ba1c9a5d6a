//! One `yield_` at a time.

use coroutines::{Co, generator};

fn main() {
    let _ = generator(async |mut co: Co<'_, u32>| {
        let one = co.yield_(1);
        let two = co.yield_(2);
        one.await;
        two.await;
    });
}
