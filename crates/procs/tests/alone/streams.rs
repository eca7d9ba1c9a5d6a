//! Closed standard streams: nothing that the crate opens takes their numbers, and processes get the null device in their
//! place.

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{self, Command};

use procs::sync::Event;
use procs::{
    Connection, JobError, Manager, Pool, Process, Queue, SharedMemory, StartMethod, Stdio,
};

use crate::{LIMIT, double};

/// Set in a program that closes its streams: which of them, one bit each, and [`LATE`].
const CLOSED: &str = "PROCS_TEST_CLOSED";

/// Closes the streams after the first start, not before `init`.
const LATE: u32 = 8;

/// What a stream of this process is; `None` if it is closed.
fn stream(number: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{number}")).ok()
}

#[procs::task]
fn streams() -> [Option<PathBuf>; 3] {
    println!("printed");
    eprintln!("printed");
    [0, 1, 2].map(stream)
}

/// Sends its streams back, in a process that has several descriptors.
#[procs::task]
fn report(reports: Connection<[Option<PathBuf>; 3]>, queue: Queue<u64>, goes: Event) {
    queue.put(&7).unwrap();
    reports.send(&streams()).unwrap();
    goes.wait_for(LIMIT).unwrap();
}

/// Each set of closed streams, closed before `init` or after the first start, in a program of its own.
pub fn closed() {
    if let Ok(closed) = env::var(CLOSED) {
        return play(closed.parse().expect("it is a number"));
    }
    procs::init();
    let program = env::current_exe().expect("this program has a file");
    for closed in 0..2 * LATE {
        let mut command = Command::new(&program);
        let status = command.env(CLOSED, closed.to_string()).status();
        let status = status.expect("it starts");
        assert!(status.success(), "streams {closed:#b}: {status}");
    }
}

fn play(closed: u32) {
    let numbers: Vec<_> = (0..3)
        .filter(|number| closed & (1 << number) != 0)
        .collect();
    let close = || {
        for number in &numbers {
            // SAFETY: close takes an integer, and no value owns a standard stream.
            assert_eq!(unsafe { libc::close(*number) }, 0);
        }
    };
    let is_child = env::var_os("PROCS_CHILD_OF").is_some();
    if !is_child && closed & LATE == 0 {
        close();
    }
    procs::init();
    if closed & LATE != 0 {
        assert_eq!(procs::spawn(double, 2).expect("it starts").join(), Ok(4));
        close();
    }
    // A failed assertion could not be printed.
    let result = std::panic::catch_unwind(use_everything);
    if result.is_err() {
        process::exit(3);
    }
}

/// Holds descriptors of every kind, and looks whether one of them has the number of a closed stream.
fn use_everything() {
    let before = [0, 1, 2].map(stream);
    let null = || Some(PathBuf::from("/dev/null"));
    let expected = [
        null(),
        before[1].clone().or(null()),
        before[2].clone().or(null()),
    ];
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        let (reports, theirs) = procs::channel().expect("it is made");
        let (queue, goes) = (Queue::new(4).unwrap(), Event::new().unwrap());
        let arguments = (theirs, queue.clone(), goes.clone());
        let mut process = builder.spawn(report, arguments).expect("it starts");
        assert_eq!(reports.receive_for(LIMIT), Ok(expected.clone()));
        assert_eq!(queue.get_for(LIMIT), Ok(7));
        let piped = builder.clone().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut piped = piped.spawn(double, 5).expect("it starts");
        let inherits = builder.stdin(Stdio::inherit()).stderr(Stdio::null());
        let mut inherits = inherits.spawn(streams, ()).expect("it starts");
        let inherited = [before[0].clone().or(null()), expected[1].clone(), null()];
        assert_eq!(inherits.join_for(LIMIT), Ok(inherited));
        let pool = Pool::builder().workers(2).start_method(method).build();
        let pool = pool.expect("it starts");
        assert_eq!(pool.apply(streams, ()), Ok(expected.clone()));
        let died = pool.apply(abort, ());
        assert!(matches!(died, Err(JobError::WorkerDied { .. })));
        let manager = Manager::start().expect("it starts");
        let counter = manager.counter(1).expect("it is made");
        let memory = SharedMemory::new(4096).expect("it is made");
        let input = "a".repeat(100_000);
        let output = procs::command("cat").input(input.clone()).run();
        assert_eq!(output.expect("it runs").text(), input);
        // All of this has its descriptors open.
        assert_eq!([0, 1, 2].map(stream), before);
        println!("this goes nowhere, or to the terminal");
        let _ = std::io::stderr().write_all(b"this too\n");
        goes.set();
        assert_eq!(process.join_for(LIMIT), Ok(()));
        assert_eq!(piped.join_for(LIMIT), Ok(10));
        assert_eq!(
            pool.map_collect(double, 0..100).expect("they run").len(),
            100
        );
        drop((counter, manager, memory));
    }
}

#[procs::task]
fn abort() {
    process::abort();
}
