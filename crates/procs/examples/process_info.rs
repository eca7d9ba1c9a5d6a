//! Who am I, and who is my parent: asked in the main program and in a child.
//!
//! ```text
//! $ cargo run -p procs --example process_info
//! main line
//! module name: process_info
//! parent process: 4000
//! process id: 4711
//! function f
//! module name: process_info
//! parent process: 4711
//! process id: 4712
//! hello bob
//! ```

use std::os::unix::process::parent_id;
use std::process;

fn info(title: &str) {
    println!("{title}");
    println!("module name: {}", module_path!());
    println!("parent process: {}", parent_id());
    println!("process id: {}", process::id());
}

#[procs::task]
fn f(name: String) {
    info("function f");
    println!("hello {name}");
}

#[procs::main]
fn main() {
    info("main line");
    let mut child = procs::spawn(f, "bob".to_owned()).expect("the process starts");
    child.join().expect("the child ends well");
}
