//! Where to start from when a plain loop is enough. Prints the sum of the results.
//!
//! `cargo run -p benches --example start_serial` prints `328350`.

fn work(n: u64) -> u64 {
    n * n
}

fn main() {
    let sum: u64 = (0..100).map(work).sum();
    println!("{sum}");
}
