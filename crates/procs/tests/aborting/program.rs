//! A program that is built with `panic = "abort"`. It fails where the reason of a panic does not arrive.

use std::time::Duration;

use procs::{JobError, Panicked, Pool, ProcessError, SpawnError, StartError, StartMethod};

/// What the tasks do, at one place.
#[procs::task]
fn fail(reason: String) {
    panic!("no luck: {reason}")
}

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

/// A message over what a socket holds.
const LONG: usize = 4 << 20;

fn check(panicked: &Panicked, reason: &str) {
    assert_eq!(panicked.message(), format!("no luck: {reason}"));
    let location = panicked.location().expect("it has a place");
    assert!(location.ends_with("program.rs:10:5"), "{location}");
}

fn in_a_pool() {
    let pool = Pool::new(1).unwrap();
    let error = pool.apply(fail, "a pool".to_owned()).unwrap_err();
    let JobError::Panicked(panicked) = error else {
        panic!("{error}")
    };
    check(&panicked, "a pool");
    assert_eq!(pool.apply(square, 7), Ok(49));
}

fn in_an_initializer() {
    let builder = Pool::builder().workers(1);
    let pool = builder.initializer(fail, "an initializer".to_owned()).build();
    // The pool is made, unless its workers have failed often enough by then.
    let error = match pool.map(|pool| pool.apply(square, 7)) {
        Ok(Err(JobError::Broken(error))) | Err(SpawnError::Start(error)) => error,
        other => panic!("{other:?}"),
    };
    let StartError::Initializer(panicked) = error else {
        panic!("{error}")
    };
    check(&panicked, "an initializer");
}

fn in_a_process(method: StartMethod, reason: &str) {
    let builder = procs::Process::builder().start_method(method);
    let mut process = builder.spawn(fail, reason.to_owned()).unwrap();
    let error = process.join_for(Duration::from_secs(60)).unwrap_err();
    let ProcessError::Panicked(panicked) = error else {
        panic!("{error}")
    };
    check(&panicked, reason);
    let status = process.exit_status().expect("it has ended");
    assert_eq!(status.signal(), Some(6), "SIGABRT");
}

#[procs::main]
fn main() {
    in_a_pool();
    in_an_initializer();
    in_a_process(StartMethod::ForkServer, "a process");
    in_a_process(StartMethod::Spawn, "another process");
    in_a_process(StartMethod::Spawn, &"long ".repeat(LONG / 5));
}
