//! What happens when `procs::init()` is not where it should be: an error, and no storm of processes.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::Duration;

use procs::{Pool, Process, ProcessError, SpawnError, StartError, StartMethod};

use crate::{LIMIT, double, eventually};

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

/// A daemon that replaces its standard input before `init`: each child would run `main` once more, for ever.
pub fn input_replaced() {
    let log = env::temp_dir().join(format!("procs-mains-{}", first_process()));
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .expect("the folder exists");
    file.write_all(b"main\n").expect("the disk has room");
    let null = File::open("/dev/null").expect("it exists");
    // SAFETY: dup2 takes two integers; the standard library does not mind what descriptor 0 refers to.
    assert_eq!(unsafe { libc::dup2(null.as_raw_fd(), 0) }, 0);
    procs::init();
    for method in [StartMethod::Spawn, StartMethod::ForkServer] {
        assert_eq!(refusal(method), StartError::InitTooLate);
    }
    let pool = Pool::builder().workers(1).start_method(StartMethod::Spawn);
    let error = pool.build().expect_err("its worker cannot start");
    assert!(
        matches!(error, SpawnError::Start(StartError::InitTooLate)),
        "{error:?}"
    );
    let mains = fs::read_to_string(&log).expect("it was written");
    fs::remove_file(&log).expect("it was written");
    // This process, one child of each method, and the attempts of the pool.
    assert!(mains.lines().count() <= 10, "{}", mains.lines().count());
}

/// A daemon that leaves its parent and its standard input before `init` is not known as a child. It runs `main` once more,
/// and its children do, but not for ever.
pub fn daemonized() {
    let log = env::temp_dir().join(format!("procs-daemons-{}", first_process()));
    let is_first = !log.exists();
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .expect("the folder exists");
    if !is_first {
        let (mut left, has_left) = std::io::pipe().expect("there are descriptors");
        // SAFETY: this process has one thread, and the copy goes on as it did.
        if unsafe { libc::fork() } != 0 {
            drop(has_left);
            // It ends when the copy is out of the reach of its process group.
            let _ = left.read(&mut [0]);
            std::process::exit(0);
        }
        // SAFETY: it takes nothing.
        assert!(unsafe { libc::setsid() } > 0);
        drop(has_left);
        let null = File::open("/dev/null").expect("it exists");
        // SAFETY: dup2 takes two integers; the standard library does not mind what descriptor 0 refers to.
        assert_eq!(unsafe { libc::dup2(null.as_raw_fd(), 0) }, 0);
    }
    procs::init();
    file.write_all(b"main\n").expect("the disk has room");
    if fs::read_to_string(&log).is_ok_and(|text| text.lines().count() > 40) {
        // The test has failed. The chain is not to go on for ever.
        std::process::exit(1);
    }
    let error = procs::Process::builder()
        .start_method(StartMethod::Spawn)
        .spawn(double, 1)
        .map(|mut process| process.join());
    if matches!(error, Err(SpawnError::TooDeep(_))) {
        file.write_all(b"end\n").expect("the disk has room");
    }
    if is_first {
        let text = || fs::read_to_string(&log).expect("it was written");
        eventually("the last is too deep", LIMIT, || text().ends_with("end\n"));
        assert!(text().lines().count() <= 20, "{}", text());
        fs::remove_file(&log).expect("it was written");
    }
}

/// The process id of the scenario's first process, which its children inherit.
fn first_process() -> String {
    const FIRST: &str = "PROCS_TEST_FIRST";
    env::var(FIRST).unwrap_or_else(|_| {
        let pid = std::process::id().to_string();
        // SAFETY: this process has one thread.
        unsafe { env::set_var(FIRST, &pid) };
        pid
    })
}

pub fn missing_is_explained() {
    let error = procs::spawn(double, 1).expect_err("init was not called");
    let text = format!("{error:?}");
    assert!(text.contains("call it first in main"), "{text}");
}
