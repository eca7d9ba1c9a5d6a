//! The classic server: one listener, and a forked process for each request.
//!
//! ```text
//! $ cargo run -p procs --example fork_server
//! Request 1: served by process 4713
//! Request 2: served by process 4714
//! Request 3: served by process 4715
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process;

use procs::{Fork, ForkedChild};

const REQUESTS: usize = 3;

/// Runs a function in a copy of this process.
fn in_child(work: impl FnOnce()) -> ForkedChild {
    match procs::fork_checked().expect("there is one thread") {
        Fork::Child => {
            work();
            process::exit(0)
        }
        Fork::Parent(child) => child,
    }
}

fn ask(server: SocketAddr) {
    for request in 1..=REQUESTS {
        let mut answer = String::new();
        let mut stream = TcpStream::connect(server).expect("the server listens");
        stream.read_to_string(&mut answer).expect("it answers");
        println!("Request {request}: {answer}");
    }
}

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let server = listener.local_addr().expect("it has an address");
    let mut children = vec![in_child(|| ask(server))];
    for _ in 0..REQUESTS {
        let (mut stream, _) = listener.accept().expect("a client comes");
        children.push(in_child(|| {
            write!(stream, "served by process {}", process::id()).expect("the client listens");
        }));
    }
    for mut child in children {
        assert!(child.join().expect("it is our child").success());
    }
}
