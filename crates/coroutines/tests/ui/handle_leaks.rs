//! The handle cannot leave the body.

use coroutines::{Co, generator};

fn main() {
    let mut leaked = None;
    let _ = generator(async |co: Co<'_, u32>| leaked = Some(co));
}
