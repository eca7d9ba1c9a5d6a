//! The second way to write a thread: a type whose fields are the arguments and whose `run` is the body.
//!
//! Run: `cargo run -p threads --example thread_run_trait`
//!
//! ```text
//! thread Greeter says: hello bob
//! thread Greeter says: hello bob
//! said 2 times
//! ```

use std::error::Error;
use threads::{Run, Thread};

struct Greeter {
    name: String,
    times: usize,
}

impl Run for Greeter {
    type Output = usize;

    fn run(self) -> usize {
        for _ in 0..self.times {
            println!(
                "thread {} says: hello {}",
                threads::current().name(),
                self.name
            );
        }
        self.times
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let greeter = Greeter {
        name: "bob".to_owned(),
        times: 2,
    };
    let mut thread = Thread::builder().name("Greeter").start(greeter)?;
    println!("said {} times", thread.join()?);
    Ok(())
}
