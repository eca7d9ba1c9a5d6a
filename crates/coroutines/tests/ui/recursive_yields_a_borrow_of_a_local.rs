//! What a level yields outlives the level's own variables.

use coroutines::{Rec, recursive};

fn main() {
    let kept: Vec<&String> = recursive(async |mut co: Rec<'_, &String>| {
        let local = String::new();
        co.yield_(&local).await;
    })
    .collect();
    drop(kept);
}
