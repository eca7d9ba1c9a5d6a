//! A program that gives up root may not signal what it has started before.

use std::io::{self, Read};
use std::process;
use std::thread;
use std::time::Duration;

use procs::sync::Event;
use procs::{CommandError, Fork, JobError, Pool, Shutdown, SignalError, TimedOut, command};

use crate::LIMIT;

const NOBODY: u32 = 65534;

/// Whether this program can change its user.
fn is_root() -> bool {
    // SAFETY: it takes nothing and returns an integer.
    let root = unsafe { libc::getuid() } == 0;
    if !root {
        println!("NOT CHECKED: only root can become another user");
    }
    root
}

fn become_nobody() {
    // SAFETY: the call takes an integer; the C library sets the user of all threads.
    assert_eq!(unsafe { libc::setuid(NOBODY) }, 0);
}

#[procs::task]
fn stay(begun: Event) {
    begun.set();
    thread::sleep(LIMIT);
}

#[procs::task]
fn go_on() {
    thread::sleep(LIMIT);
}

#[procs::task]
fn answer() -> u32 {
    42
}

fn is_refusal(error: &SignalError, refused: u32) -> bool {
    matches!(error, SignalError::NotPermitted { pid, .. } if *pid == refused)
}

/// The error of a signal arrives; a process that has ended needs none.
pub fn refused_signals() {
    // Before there is another thread. The child is not tied to this process but by this pipe.
    let (mut reader, writer) = io::pipe().expect("there are descriptors");
    let child = match procs::fork_checked().expect("this process has one thread") {
        Fork::Child => {
            drop(writer);
            let _ = reader.read(&mut [0]);
            process::exit(0)
        }
        Fork::Parent(child) => child,
    };
    procs::init();
    if !is_root() {
        return child.kill().unwrap();
    }
    let begun = Event::new().unwrap();
    let mut running = procs::spawn(stay, begun.clone()).expect("it starts");
    let mut ended = procs::spawn(answer, ()).expect("it starts");
    assert_eq!(ended.join_for(LIMIT), Ok(42));
    begun.wait_for(LIMIT).unwrap();
    become_nobody();
    for sent in [running.terminate(), running.kill()] {
        let error = sent.expect_err("it is root's");
        assert!(is_refusal(&error, running.pid()), "{error:?}");
        assert!(error.to_string().contains("another user"), "{error}");
    }
    assert_eq!(running.try_join(), None, "it goes on");
    assert!(is_refusal(&child.terminate().unwrap_err(), child.pid()));
    assert!(is_refusal(&child.kill().unwrap_err(), child.pid()));
    assert_eq!((ended.terminate(), ended.kill()), (Ok(()), Ok(())));
}

/// What may not be signalled is ended by its lifeline: no shutdown hangs.
pub fn pool_ends() {
    procs::init();
    if !is_root() {
        return;
    }
    let pools = [Shutdown::Terminate, Shutdown::Terminate].map(|how| {
        let pool = Pool::new(1).expect("it starts");
        (pool.submit(go_on, ()), pool, how)
    });
    let waits = Pool::new(1).expect("it starts");
    let stuck = waits.submit(go_on, ());
    become_nobody();
    let ended = |pool: &Pool, how| pool.shutdown_for(how, LIMIT / 2);
    for (mut job, pool, how) in pools {
        assert_eq!(ended(&pool, how), Ok(()));
        assert_eq!(job.result_for(LIMIT), Err(JobError::Closed));
    }
    let moment = Duration::from_millis(1);
    assert_eq!(waits.shutdown_for(Shutdown::Wait, moment), Err(TimedOut));
    drop(waits);
    assert_eq!(stuck.result(), Err(JobError::Closed));
}

/// A worker whose task takes too long ends, and a new one takes its place.
pub fn task_timeout() {
    procs::init();
    if !is_root() {
        return;
    }
    let builder = Pool::builder().workers(1);
    let builder = builder.task_timeout(Duration::from_millis(300));
    // The program's own folder may be closed to the user that the new worker has.
    let pool = builder.build().expect("it starts");
    let mut job = pool.submit(go_on, ());
    become_nobody();
    let error = job.result_for(LIMIT / 2).expect_err("it never returns");
    assert!(matches!(error, JobError::TaskTimedOut { .. }), "{error:?}");
}

/// A time limit that cannot be enforced is no time limit that was.
pub fn program_goes_on() {
    procs::init();
    if !is_root() {
        return;
    }
    let program = command("sh").args(["-c", "echo $$; exec sleep 100"]);
    let mut pid = 0;
    let ended = program
        .timeout(Duration::from_millis(300))
        .run_lines(|line| {
            pid = line.parse().expect("it is a number");
            become_nobody();
        });
    match ended.expect_err("it goes on") {
        CommandError::NotKilled { error, .. } => assert!(is_refusal(&error, pid), "{error:?}"),
        other => panic!("{other:?}"),
    }
}
