//! Two functions at once, each in a process of its own: `a` prints numbers, `b` prints letters.
//!
//! ```text
//! $ cargo run -p procs --example process_interleave
//! 0
//! a
//! 1
//! b
//! 2
//! c
//! ```
//!
//! The system decides who is next: the numbers are in order, and so are the letters, but they may mix in any way.

use std::thread;
use std::time::Duration;

#[procs::task]
fn a() {
    for number in 0..3 {
        println!("{number}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[procs::task]
fn b() {
    for letter in ['a', 'b', 'c'] {
        println!("{letter}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[procs::main]
fn main() {
    let mut numbers = procs::spawn(a, ()).expect("the process starts");
    let mut letters = procs::spawn(b, ()).expect("the process starts");
    numbers.join().expect("it ends well");
    letters.join().expect("it ends well");
}
