//! What happens when `procs::init()` is not where it should be: an error, and no storm of processes.

use std::env;
use std::process::Command;
use std::thread;
use std::time::Duration;

use procs::{Pool, ProcessError, SpawnError, StartError};

use crate::double;

/// Set by the parent, so that a child can behave differently.
const CHILD: &str = "PROCS_TEST_CHILD";

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
    if env::var_os(CHILD).is_some() {
        assert!(matches!(
            procs::spawn(double, 1),
            Err(SpawnError::InitSkipped)
        ));
        assert!(matches!(Pool::new(1), Err(SpawnError::InitSkipped)));
        return;
    }
    procs::init();
    let builder = procs::Process::builder().env(CHILD, "1");
    let mut process = builder.spawn(double, 1).expect("it starts");
    let error = process
        .join_for(Duration::from_secs(60))
        .expect_err("nobody ran the task");
    // The assertions above held in the child: it exited with 0.
    assert!(
        matches!(error, ProcessError::Start(StartError::Ended(status)) if status.success()),
        "{error:?}"
    );
    assert!(error.to_string().contains("procs::init()"));
}

/// A child that waits for something else instead is killed at the start deadline.
pub fn never() {
    if env::var_os(CHILD).is_some() {
        thread::sleep(Duration::from_secs(3600));
    }
    procs::init();
    let builder = procs::Process::builder().env(CHILD, "1");
    let mut process = builder.spawn(double, 1).expect("it starts");
    let error = process
        .join_for(Duration::from_secs(60))
        .expect_err("nobody ran the task");
    assert!(
        matches!(error, ProcessError::Start(StartError::TimedOut(_))),
        "{error:?}"
    );
    assert_eq!(
        process.exit_status().and_then(|status| status.signal()),
        Some(9)
    );
}

pub fn misplaced() {
    thread::spawn(procs::init).join().expect("it returns");
    assert!(matches!(
        procs::spawn(double, 1),
        Err(SpawnError::InitMissing)
    ));
    procs::init();
    // In the child it is called on the other thread first.
    let error = procs::spawn(double, 1)
        .expect("it starts")
        .join()
        .expect_err("the child refuses");
    assert_eq!(error, ProcessError::Start(StartError::NotOnMainThread));
}

pub fn forgotten_in_worker() {
    if procs_marker_is_set() {
        return;
    }
    procs::init();
    let Err(SpawnError::Start(error)) = Pool::new(2) else {
        panic!("no worker called init")
    };
    assert!(
        matches!(error, StartError::Ended(status) if status.success()),
        "{error:?}"
    );
}

/// Only a child has the marker; a real program would not look.
fn procs_marker_is_set() -> bool {
    env::vars().any(|(key, _)| key.starts_with("PROCS_CHILD"))
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
