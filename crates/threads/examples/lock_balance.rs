//! Two threads change one balance; the lock makes each change whole.
//!
//! Run: `cargo run -p threads --example lock_balance`
//!
//! ```text
//! 0
//! ```

use std::error::Error;
use std::sync::Arc;
use threads::{Lock, Thread};

fn change(balance: &Lock<i64>, amount: i64) {
    for _ in 0..100_000 {
        let mut balance = balance.lock();
        *balance += amount;
        *balance -= amount;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let balance = Arc::new(Lock::new(0));
    let mut threads: Vec<Thread<()>> = Vec::new();
    for amount in [5, 8] {
        let balance = balance.clone();
        threads.push(threads::spawn(move || change(&balance, amount))?);
    }
    for thread in &mut threads {
        thread.join()?;
    }
    println!("{}", balance.lock());
    Ok(())
}
