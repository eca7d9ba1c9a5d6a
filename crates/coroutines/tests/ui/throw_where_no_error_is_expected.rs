//! Errors go only into bodies that take a `Result`.

use coroutines::{Co, CoroutineExt, coroutine};
use std::pin::pin;

fn main() {
    let mut g = pin!(coroutine(async |mut co: Co<'_, u32, u32>, first| co.yield_(first).await));
    let _ = g.throw("stop");
}
