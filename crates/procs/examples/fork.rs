//! One call, two returns: the child sees "no child", the parent sees the child's process id.
//!
//! ```text
//! $ cargo run -p procs --example fork
//! Process (4711) start...
//! I (4711) just created a child process (4712).
//! I am child process (4712) and my parent is 4711.
//! ```
//!
//! The last two lines may come in either order.

use std::os::unix::process::parent_id;
use std::process;

use procs::Fork;

fn main() {
    println!("Process ({}) start...", process::id());
    match procs::fork_checked().expect("this process has one thread") {
        Fork::Child => {
            println!(
                "I am child process ({}) and my parent is {}.",
                process::id(),
                parent_id()
            );
        }
        Fork::Parent(mut child) => {
            println!(
                "I ({}) just created a child process ({}).",
                process::id(),
                child.pid()
            );
            child.join().expect("the child is ours to wait for");
        }
    }
}
