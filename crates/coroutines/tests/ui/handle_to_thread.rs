//! The handle cannot go to a thread that outlives the resume.

use coroutines::{Co, generator};

fn main() {
    let _ = generator(async |mut co: Co<'_, u32>| {
        std::thread::spawn(move || drop(co.yield_(1)));
    });
}
