//! A subroutine begins at its top and ends at its bottom; a coroutine may be left in the middle and gone back to.
//!
//! `A` prints 1 2 3 and `B` prints x y z. `A` is left after 2, and its last step comes when it is asked for.
//!
//! ```text
//! $ cargo run -p coroutines --example subroutines
//! 1
//! 2
//! x
//! y
//! 3
//! z
//! ```

use coroutines::{Co, generator};
use std::pin::pin;

async fn a(mut co: Co<'_, ()>) {
    println!("1");
    println!("2");
    co.yield_(()).await;
    println!("3");
}

async fn b(mut co: Co<'_, ()>) {
    println!("x");
    println!("y");
    co.yield_(()).await;
    println!("z");
}

fn main() {
    let (mut a, mut b) = (pin!(generator(a)), pin!(generator(b)));
    // Neither calls the other: each is resumed where it was left.
    a.next();
    b.next();
    a.next();
    b.next();
}
