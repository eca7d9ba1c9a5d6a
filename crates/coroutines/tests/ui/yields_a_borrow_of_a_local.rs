//! What is yielded outlives the body's own variables.

use coroutines::{Co, generator};
use std::pin::pin;

fn main() {
    let mut kept: Option<&mut String> = None;
    {
        let mut g = pin!(generator(async |mut co: Co<'_, &mut String>| {
            let mut local = String::new();
            co.yield_(&mut local).await;
        }));
        kept = g.next();
    }
    drop(kept);
}
