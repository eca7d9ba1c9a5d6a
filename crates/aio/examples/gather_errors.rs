//! An error reaches the waiter at once and cancels the others; or errors come among the results and cancel nobody.
//!
//! `cargo run -p aio --example gather_errors` prints
//!
//! ```text
//! gather: 2 failed
//! the others have been cancelled
//! gather_settled: [Ok(1), Err(Failed(2)), Ok(3)]
//! ```

use std::{error::Error, fmt, time::Duration};

#[derive(Debug)]
struct Failed(u32);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0)
    }
}

impl Error for Failed {}

async fn work(number: u32) -> Result<u32, Failed> {
    if number == 2 {
        return Err(Failed(number));
    }
    aio::sleep(Duration::from_millis(100)).await;
    Ok(number)
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        if let Err(error) = aio::gather([1, 2, 3].map(work)).await {
            println!("gather: {error}");
            println!("the others have been cancelled");
        }
        let results = aio::gather_settled([1, 2, 3].map(work)).await;
        println!("gather_settled: {results:?}");
    })?;
    Ok(())
}
