//! A writer and a reader over one queue. The reader loops for ever, and the parent ends it.
//!
//! ```text
//! $ cargo run -p procs --example process_queue
//! Process to write: 4712
//! Put A to queue...
//! Process to read: 4713
//! Get A from queue.
//! Put B to queue...
//! Get B from queue.
//! Put C to queue...
//! Get C from queue.
//! ```

use std::process;
use std::thread;
use std::time::Duration;

use procs::JoinableQueue;

#[procs::task]
fn write(queue: JoinableQueue<String>) {
    println!("Process to write: {}", process::id());
    for value in ["A", "B", "C"] {
        println!("Put {value} to queue...");
        queue.put(&value.to_owned()).expect("the queue is open");
        thread::sleep(Duration::from_millis(50));
    }
}

#[procs::task]
fn read(queue: JoinableQueue<String>) {
    println!("Process to read: {}", process::id());
    loop {
        println!(
            "Get {} from queue.",
            queue.get().expect("the queue is open")
        );
        queue.task_done().expect("one was got");
    }
}

#[procs::main]
fn main() {
    let queue = JoinableQueue::new(10).expect("there is memory");
    let mut writer = procs::spawn(write, queue.clone()).expect("the process starts");
    let mut reader = procs::spawn(read, queue.clone()).expect("the process starts");
    writer.join().expect("the writer ends well");
    queue.join().expect("everything is read");
    reader.terminate().expect("it has the same user");
    reader.join().expect_err("it would have gone on for ever");
}
