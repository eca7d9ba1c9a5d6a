//! A generic task.

#[procs::task]
fn identity<T>(value: T) -> T {
    value
}

fn main() {}
