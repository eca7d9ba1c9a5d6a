//! The first coroutine: a greeting, a pause that does not block the loop, another greeting.
//!
//! `cargo run -p aio --example async_hello` prints, a second apart:
//!
//! ```text
//! Hello, world!
//! Hello, again!
//! ```

use std::time::Duration;

async fn hello() {
    println!("Hello, world!");
    aio::sleep(Duration::from_secs(1)).await;
    println!("Hello, again!");
}

fn main() -> Result<(), aio::RunError> {
    aio::run(hello())
}
