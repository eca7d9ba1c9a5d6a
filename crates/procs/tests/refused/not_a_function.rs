//! The attributes in wrong places.

#[procs::task]
struct Data;

#[procs::task(name = "other")]
fn named() {}

#[procs::main]
fn start() {}

#[procs::main]
async fn main() {}
