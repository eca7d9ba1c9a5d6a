//! A function in a new process, started and joined.
//!
//! ```text
//! $ cargo run -p procs --example process_hello
//! Parent process 4711.
//! Child process will start.
//! Run child process test (4712)...
//! Child process end.
//! ```

use std::process;

/// The code that runs in the child.
#[procs::task]
fn run_proc(name: String) {
    println!("Run child process {name} ({})...", process::id());
}

#[procs::main]
fn main() {
    println!("Parent process {}.", process::id());
    println!("Child process will start.");
    let mut child = procs::spawn(run_proc, "test".to_owned()).expect("the process starts");
    child.join().expect("the child ends well");
    println!("Child process end.");
}
