//! The same CPU-bound work on one thread and on as many as there are processors.
//!
//! Run: `cargo run --release -p threads --example no_gil`
//!
//! ```text
//! 1 thread: 412 ms
//! 2 threads: 209 ms, 1.97 times as fast
//! Under Python's GIL one thread at a time runs bytecode, so 2 threads would take as long as one.
//! ```

use std::error::Error;
use std::time::Instant;
use threads::Pool;

/// Counts the primes in a range the slow way.
fn primes(range: std::ops::Range<u32>) -> usize {
    let is_prime = |n: &u32| {
        *n > 1
            && (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
    };
    range.filter(is_prime).count()
}

fn main() -> Result<(), Box<dyn Error>> {
    const PARTS: u32 = 32;
    const SIZE: u32 = 4_000;
    let run = |workers| -> Result<_, Box<dyn Error>> {
        let pool = Pool::new(workers)?;
        let start = Instant::now();
        let parts = pool.map(|part| primes(part * SIZE..(part + 1) * SIZE), 0..PARTS);
        let found = parts.sum::<Result<usize, _>>()?;
        Ok((found, start.elapsed()))
    };

    let n = std::thread::available_parallelism()?.get();
    let (expected, alone) = run(1)?;
    println!("1 thread: {} ms", alone.as_millis());
    let (found, together) = run(n)?;
    assert_eq!(found, expected);
    let speedup = alone.as_secs_f64() / together.as_secs_f64();
    println!(
        "{n} threads: {} ms, {speedup:.2} times as fast",
        together.as_millis()
    );
    println!(
        "Under Python's GIL one thread at a time runs bytecode, so {n} threads would take as long as one."
    );
    Ok(())
}
