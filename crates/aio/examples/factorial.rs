//! Three coroutines compute side by side; `gather` gives their results in the order of the arguments.
//!
//! `cargo run -p aio --example factorial` prints, among other lines:
//!
//! ```text
//! Task A: factorial(2) = 2
//! Task B: factorial(3) = 6
//! Task C: factorial(4) = 24
//! [2, 6, 24]
//! ```

use std::{error::Error, fmt, time::Duration};

/// The product does not fit into 64 bits.
#[derive(Debug)]
struct TooLarge(u64);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "factorial({}) does not fit into 64 bits", self.0)
    }
}

impl Error for TooLarge {}

async fn factorial(name: &str, number: u64) -> Result<u64, TooLarge> {
    let mut product = 1u64;
    for factor in 2..=number {
        println!("Task {name}: compute factorial({factor})...");
        aio::sleep(Duration::from_millis(100)).await;
        product = product.checked_mul(factor).ok_or(TooLarge(number))?;
    }
    println!("Task {name}: factorial({number}) = {product}");
    Ok(product)
}

fn main() -> Result<(), Box<dyn Error>> {
    let tasks = [("A", 2), ("B", 3), ("C", 4)].map(|(name, number)| factorial(name, number));
    let products = aio::run(aio::gather(tasks))??;
    println!("{products:?}");
    Ok(())
}
