//! A process gives back what its task returned, or says why it could not.

use std::io;
use std::os::fd::AsFd;
use std::process;
use std::thread;
use std::time::Duration;

use procs::{Process, ProcessError, SpawnError};
use serde::{Deserialize, Serialize};

use crate::common::{self, LIMIT, eventually};

#[procs::task]
fn join_words(a: String, b: String, times: usize) -> String {
    vec![format!("{a} {b}"); times].join(" ")
}

#[procs::task]
fn nothing() {}

#[procs::task]
fn sleep_for_ever() {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

#[procs::task]
fn panic_with(message: String) -> u32 {
    panic!("{message}");
}

#[procs::task]
fn parse(text: String) -> Result<i32, String> {
    text.parse::<i32>().map_err(|error| error.to_string())
}

#[procs::task]
fn exit_with(code: i32) {
    process::exit(code);
}

#[procs::task]
fn abort() {
    process::abort();
}

#[procs::task]
fn reverse(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().rev().collect()
}

mod inner {
    /// A task in a module.
    #[procs::task]
    pub fn triple(n: u32) -> u32 {
        3 * n
    }
}

#[test]
fn several_arguments_arrive() {
    let mut process = procs::spawn(join_words, ("a".into(), "b".into(), 2)).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), "a b a b");
}

#[test]
fn a_task_is_still_a_function() {
    assert_eq!(join_words("x".into(), "y".into(), 1), "x y");
    assert_eq!([1, 2].map(*inner::triple), [3, 6]);
}

#[test]
fn tasks_in_modules_and_in_function_bodies_are_found() {
    #[procs::task]
    fn local(n: u32) -> u32 {
        n + 1
    }
    let mut process = procs::spawn(local, 1).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), 2);
    let mut process = procs::spawn(inner::triple, 5).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), 15);
}

#[test]
fn functions_of_one_name_in_different_bodies_are_told_apart() {
    #[procs::task]
    fn local(n: u32) -> u32 {
        n + 100
    }
    let mut process = procs::spawn(local, 1).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), 101);
}

#[test]
fn a_tasks_own_error_stays_typed() {
    let mut process = procs::spawn(parse, "seven".into()).unwrap();
    assert!(process.join_for(LIMIT).unwrap().is_err());
    assert_eq!(process.exit_status().unwrap().code(), Some(0));
}

#[test]
fn a_panic_brings_message_place_and_backtrace() {
    let mut process = procs::spawn(panic_with, "out of cheese".into()).unwrap();
    let Err(ProcessError::Panicked(panic)) = process.join_for(LIMIT) else {
        panic!("it did not panic")
    };
    assert_eq!(panic.message(), "out of cheese");
    assert!(
        panic
            .location()
            .unwrap()
            .contains("process_returns_result_or_reason.rs:")
    );
    assert!(panic.backtrace().unwrap().contains("panic_with"));
    assert_eq!(process.exit_status().unwrap().code(), Some(101));
}

#[test]
fn exit_and_abort_in_a_task_are_reported() {
    let mut process = procs::spawn(exit_with, 0).unwrap();
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Died { status, .. })
            if (status.code(), status.signal()) == (Some(0), None)
    ));
    let mut process = procs::spawn(exit_with, 9).unwrap();
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Died { status, .. }) if status.code() == Some(9)
    ));
    let mut process = procs::spawn(abort, ()).unwrap();
    let pid = process.pid();
    let Err(error) = process.join_for(LIMIT) else {
        panic!("it did not die")
    };
    assert!(matches!(error, ProcessError::Died { status, pid: died, .. }
            if (status.code(), status.signal(), died) == (None, Some(6), pid)));
    assert!(error.to_string().contains("SIGABRT"));
}

#[test]
fn terminate_and_kill_end_it_and_say_so() {
    for (signal, stop) in [
        (15, Process::terminate as fn(&Process<()>) -> _),
        (9, Process::kill),
    ] {
        let mut process = procs::spawn(sleep_for_ever, ()).unwrap();
        assert!(process.is_alive() && process.try_join().is_none());
        assert_eq!(
            process.join_for(Duration::from_millis(1)),
            Err(ProcessError::TimedOut)
        );
        assert_eq!(stop(&process), Ok(()));
        assert!(
            matches!(process.join_for(LIMIT), Err(ProcessError::Died { status, .. }) if status.signal() == Some(signal))
        );
        assert_eq!(process.exit_status().unwrap().signal(), Some(signal));
        assert!(!process.is_alive());
        assert_eq!(stop(&process), Ok(()), "it has ended");
    }
}

#[test]
fn a_result_is_taken_once() {
    let mut process = procs::spawn(nothing, ()).unwrap();
    process.join_for(LIMIT).unwrap();
    assert_eq!(process.join(), Err(ProcessError::AlreadyJoined));
    assert_eq!(process.try_join(), Some(Err(ProcessError::AlreadyJoined)));
}

#[test]
fn large_arguments_and_results_pass() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let mut process = procs::spawn(reverse, bytes.clone()).unwrap();
    let reversed = process.join_for(LIMIT).unwrap();
    assert!(reversed.iter().rev().eq(bytes.iter()));
}

#[test]
fn name_surroundings_and_parent_are_as_the_builder_said() {
    #[procs::task]
    fn look() -> (String, u32, String, String) {
        let parent = procs::parent().expect("it has a parent");
        let directory = std::env::current_dir().expect("it has a directory");
        (
            procs::current().name().into(),
            parent.pid(),
            std::env::var("COLOUR").unwrap(),
            directory.display().to_string(),
        )
    }
    let builder = Process::builder()
        .name("Looker")
        .env("COLOUR", "green")
        .cwd("/");
    let mut process = builder.spawn(look, ()).unwrap();
    assert_eq!(process.name(), "Looker");
    let expected = (
        "Looker".to_owned(),
        process::id(),
        "green".to_owned(),
        "/".to_owned(),
    );
    assert_eq!(process.join_for(LIMIT).unwrap(), expected);
}

#[test]
fn standard_input_is_empty() {
    #[procs::task]
    fn read_all() -> usize {
        io::read_to_string(io::stdin())
            .expect("stdin is readable")
            .len()
    }
    let mut process = procs::spawn(read_all, ()).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), 0);
}

#[test]
fn a_dropped_daemon_is_killed_and_a_dropped_process_goes_on() {
    let daemon = Process::builder()
        .daemon(true)
        .spawn(sleep_for_ever, ())
        .unwrap();
    let pid = daemon.pid();
    drop(daemon);
    eventually("the daemon is gone", || !common::is_running(pid));

    let detached = procs::spawn(sleep_for_ever, ()).unwrap();
    let (pid, pidfd) = (
        detached.pid(),
        detached.as_fd().try_clone_to_owned().unwrap(),
    );
    drop(detached);
    assert!(
        procs::active_children()
            .iter()
            .any(|child| child.pid() == pid)
    );
    assert!(common::is_running(pid));
    common::signal(pid, "KILL");
    drop(pidfd);
    eventually("the detached process is collected", || {
        procs::active_children()
            .iter()
            .all(|child| child.pid() != pid)
    });
}

#[test]
fn processes_nest_up_to_a_limit() {
    #[procs::task]
    fn descend(depth: u32) -> u32 {
        match procs::spawn(descend, depth + 1) {
            Ok(mut process) => process.join().expect("the inner process returns"),
            Err(SpawnError::TooDeep(limit)) => {
                assert_eq!(limit, depth);
                depth
            }
            Err(error) => panic!("{error}"),
        }
    }
    let mut process = procs::spawn(descend, 1).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), 16);
}

/// Serializes as text, wants a number back.
#[derive(Debug)]
struct Contradiction;

impl Serialize for Contradiction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("no number")
    }
}

impl<'de> Deserialize<'de> for Contradiction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u64; 4]>::deserialize(deserializer).map(|_| Self)
    }
}

#[test]
fn what_cannot_be_decoded_is_an_error() {
    #[procs::task]
    fn give() -> Contradiction {
        Contradiction
    }
    #[procs::task]
    fn take(_: Contradiction) {}
    let mut process = procs::spawn(give, ()).unwrap();
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Decode(_))
    ));
    let mut process = procs::spawn(take, Contradiction).unwrap();
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Decode(_))
    ));
}

#[test]
fn what_cannot_be_encoded_is_an_error() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    impl<'de> Deserialize<'de> for Refuses {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    #[procs::task]
    fn give() -> Refuses {
        Refuses
    }
    #[procs::task]
    fn take(_: Refuses) {}
    assert!(matches!(
        procs::spawn(take, Refuses),
        Err(SpawnError::Encode(_))
    ));
    let mut process = procs::spawn(give, ()).unwrap();
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Encode(_))
    ));
}

#[test]
fn processes_start_from_threads_that_end() {
    let handles: Vec<_> = (0..20)
        .map(|n| thread::spawn(move || procs::spawn(late_double, n).expect("it starts")))
        .collect();
    let processes: Vec<_> = handles
        .into_iter()
        .map(|handle| handle.join().unwrap())
        .collect();
    for (n, mut process) in processes.into_iter().enumerate() {
        assert_eq!(process.join_for(LIMIT).unwrap(), 2 * n as u64);
    }
}

/// Returns after the thread that started it has ended.
#[procs::task]
fn late_double(n: u64) -> u64 {
    thread::sleep(Duration::from_millis(30));
    2 * n
}
