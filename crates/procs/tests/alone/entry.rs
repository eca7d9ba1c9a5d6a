//! What happens when `procs::init()` is not where it should be: an error, and no storm of processes.

use std::env;
use std::process::Command;
use std::thread;
use std::time::Duration;

use procs::{Pool, Process, ProcessError, SpawnError, StartError, StartMethod};

use crate::double;

/// Starts a process that will not become ready, and returns why.
fn refusal(method: StartMethod) -> StartError {
    let process = Process::builder().start_method(method).spawn(double, 1);
    match process.map(|mut process| process.join_for(Duration::from_secs(60))) {
        // The fork server comes up before a process is made, a process of the other kind answers later.
        Err(SpawnError::Start(error)) | Ok(Err(ProcessError::Start(error))) => error,
        other => panic!("{other:?}"),
    }
}

/// Only a child has the marker; a real program would not look.
fn is_child() -> bool {
    env::var_os("PROCS_CHILD_OF").is_some()
}

pub fn forgotten() {
    assert!(matches!(
        procs::spawn(double, 1),
        Err(SpawnError::InitMissing)
    ));
    assert!(matches!(Pool::new(1), Err(SpawnError::InitMissing)));
    assert!(procs::active_children().is_empty());
}

/// A child that goes past `init` reaches the same calls again, and gets errors.
pub fn forgotten_in_child() {
    if is_child() {
        assert!(matches!(
            procs::spawn(double, 1),
            Err(SpawnError::InitSkipped)
        ));
        assert!(matches!(Pool::new(1), Err(SpawnError::InitSkipped)));
        return;
    }
    procs::init();
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        let error = refusal(method);
        // The assertions above held in the child: it exited with 0.
        assert!(
            matches!(error, StartError::Ended(status) if status.success()),
            "{error:?}"
        );
        assert!(error.to_string().contains("procs::init()"));
    }
    let pool = Pool::builder()
        .workers(2)
        .start_method(StartMethod::Spawn)
        .build();
    assert!(
        matches!(pool, Err(SpawnError::Start(StartError::Ended(status))) if status.success()),
        "{pool:?}"
    );
    assert!(procs::active_children().is_empty());
}

/// A child that waits for something else instead is killed at the start deadline.
pub fn never() {
    if is_child() {
        thread::sleep(Duration::from_secs(3600));
    }
    procs::init();
    let slow = thread::spawn(|| refusal(StartMethod::Spawn));
    for error in [
        refusal(StartMethod::ForkServer),
        slow.join().expect("it returns"),
    ] {
        assert!(matches!(error, StartError::TimedOut(_)), "{error:?}");
    }
    assert!(procs::active_children().is_empty());
}

pub fn misplaced() {
    thread::spawn(procs::init).join().expect("it returns");
    assert!(matches!(
        procs::spawn(double, 1),
        Err(SpawnError::InitMissing)
    ));
    procs::init();
    // In the child it is called on the other thread first.
    assert_eq!(refusal(StartMethod::Spawn), StartError::NotOnMainThread);
    assert_eq!(
        refusal(StartMethod::ForkServer),
        StartError::NotOnMainThread
    );
}

/// The environment variable reaches programs that a task runs, also this very program; they must start as usual.
pub fn foreign_program() {
    #[procs::task]
    fn run_this_program() -> bool {
        let program = env::current_exe().expect("this program has a file");
        let scenario = "init_forgotten_in_the_program_is_an_error";
        Command::new(program)
            .env(crate::SCENARIO, scenario)
            .status()
            .expect("it starts")
            .success()
    }
    procs::init();
    assert!(
        procs::spawn(run_this_program, ())
            .expect("it starts")
            .join()
            .expect("it returns")
    );
}
