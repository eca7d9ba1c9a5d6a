//! A generator that is not pinned cannot run.

use coroutines::{Co, CoroutineExt, generator};

fn main() {
    let mut g = generator(async |mut co: Co<'_, u32>| co.yield_(1).await);
    let _ = g.send(());
}
