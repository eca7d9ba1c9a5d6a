//! `compare`.

fn main() {}
