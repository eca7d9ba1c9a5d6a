//! Two ends of a pipe, one in the parent and one in a child: a request and its answer.
//!
//! ```text
//! $ cargo run -p procs --example process_pipe
//! Parent asks: how long is "a piece of string"?
//! Child (4712) was asked: a piece of string
//! Parent hears: 17
//! ```

use std::process;

use procs::Connection;

/// Answers until the parent hangs up.
#[procs::task]
fn answer(parent: Connection<usize, String>) {
    while let Ok(text) = parent.receive() {
        println!("Child ({}) was asked: {text}", process::id());
        parent.send(&text.len()).expect("the parent listens");
    }
}

#[procs::main]
fn main() {
    let (child, parent) = Connection::<String, usize>::pair().expect("the pipe is made");
    let mut process = procs::spawn(answer, parent).expect("the process starts");
    let text = "a piece of string".to_owned();
    println!("Parent asks: how long is {text:?}?");
    child.send(&text).expect("the child listens");
    println!(
        "Parent hears: {}",
        child.receive().expect("the child answers")
    );
    drop(child);
    process.join().expect("the child ends well");
}
