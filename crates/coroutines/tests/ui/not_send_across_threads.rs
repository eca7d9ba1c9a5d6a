//! A body that holds something bound to its thread stays on its thread.

use coroutines::{Co, generator};
use std::rc::Rc;

fn main() {
    let bound = generator(async |mut co: Co<'_, u32>| {
        let local = Rc::new(1);
        co.yield_(*local).await;
        drop(local);
    });
    let _ = bound.boxed_send();
}
