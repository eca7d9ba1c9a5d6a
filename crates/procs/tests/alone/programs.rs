//! Programs, where this process has unusual signal dispositions or ends early.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use procs::{CommandError, JobError, command};

use crate::orphans::{End, is_running, scenario};
use crate::{LIMIT, eventually};

/// Runs programs that end by themselves and programs that exceed their limits.
fn run_several(is_known: bool) {
    let output = command("sh")
        .args(["-c", "cat; echo err >&2; exit 3"])
        .input("in")
        .run()
        .expect("it runs");
    assert_eq!(
        (output.stdout(), output.stderr()),
        (&b"in"[..], &b"err\n"[..])
    );
    let unknown = output.status().code().is_none() && output.status().signal().is_none();
    assert!(output.status().code() == Some(3) || (unknown && !is_known));
    let error = command("sh")
        .args(["-c", "echo begun; sleep 1000; true"])
        .timeout(Duration::from_secs(2))
        .run()
        .expect_err("it takes too long");
    let CommandError::TimedOut(output) = error else {
        panic!("{error}")
    };
    assert_eq!(output.text(), "begun\n");
}

/// The kernel collects children at once, and keeps no status.
pub fn sigchld_ignored() {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    for _ in 0..20 {
        run_several(false);
    }
    let error = command("no-such-program").run().expect_err("there is none");
    assert!(error.to_string().contains("No such file"), "{error}");
}

/// Another thread collects every child.
pub fn children_collected_elsewhere() {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    let collector = thread::spawn(|| {
        while !IS_OVER.load(Relaxed) {
            // SAFETY: a null status is allowed.
            if unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } <= 0 {
                thread::yield_now();
            }
        }
    });
    for _ in 0..20 {
        run_several(false);
    }
    IS_OVER.store(true, Relaxed);
    collector.join().expect("it ends");
}

/// Writing to a program that has ended does not end this one.
pub fn sigpipe_at_its_default() {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    for _ in 0..20 {
        let output = command("true").input(vec![0; 1_000_000]).run();
        assert!(output.expect("it runs").status().success());
        run_several(true);
    }
    // SAFETY: as above; kill takes two integers.
    let pending = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigpending(&raw mut set);
        libc::sigismember(&raw const set, libc::SIGPIPE)
    };
    assert_eq!(pending, 0);
}

/// A program, and what it starts in its group, in a session of its own, and by a double fork. Each leaves its process id as
/// the name of a file.
const TREE: &str = "\
note() { echo > \"$PLACE/$1\"; }
sleep 1000 & note $!
setsid sh -c 'echo > \"$PLACE/$$\"; exec sleep 1000' &
(setsid sh -c 'echo > \"$PLACE/$$\"; sleep 1000; true' &)
(sleep 1000 & note $!)
note $$
sleep 1000; true";

/// The number of processes of [`TREE`] that leave their ids.
const TREE_SIZE: usize = 5;

fn tree(place: &Path) -> procs::Command {
    command("sh").args(["-c", TREE]).env("PLACE", place)
}

fn pids_in(place: &Path) -> Vec<u32> {
    let files = fs::read_dir(place).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.file_name().to_str()?.parse().ok())
        .collect()
}

/// A time limit ends everything that a program has started.
pub fn time_limit_ends_the_tree() {
    let place = env::temp_dir().join(format!("procs-tree-{}", process::id()));
    fs::create_dir(&place).expect("the name is new");
    // The limit passes at some point of the beginning, too.
    for millis in [5, 20, 1500] {
        let error = tree(&place)
            .timeout(Duration::from_millis(millis))
            .run()
            .expect_err("it takes too long");
        assert!(matches!(error, CommandError::TimedOut(_)), "{error}");
        eventually("every process is gone", LIMIT, || {
            pids_in(&place).iter().all(|pid| !is_running(*pid))
        });
    }
    assert!(pids_in(&place).len() >= TREE_SIZE);
    fs::remove_dir_all(&place).expect("it is there");
}

/// A program without children.
fn run_alone(place: PathBuf) {
    let script = "echo > \"$PLACE/$$\"; exec sleep 1000";
    let program = command("sh").args(["-c", script]);
    let _ = program.env("PLACE", place).run();
}

/// A program ends with the process that runs it.
pub fn killed_host() {
    scenario(1, run_alone, End::Killed);
}

/// Another thread leaves `main` while the program runs.
pub fn exited_host() {
    scenario(
        1,
        |place| {
            let theirs = place.clone();
            thread::spawn(|| run_alone(theirs));
            eventually("it has begun", LIMIT, || pids_in(&place).len() == 1);
        },
        End::Returned,
    );
}

#[procs::task]
fn run_alone_in_task(place: PathBuf) {
    run_alone(place);
}

/// The program of a task ends with the task's worker.
pub fn killed_worker() {
    scenario(
        1,
        |place| {
            let pool = procs::Pool::builder()
                .workers(1)
                .task_timeout(Duration::from_secs(3))
                .build()
                .expect("it starts");
            let error = pool.apply(run_alone_in_task, place.clone());
            assert!(
                matches!(error, Err(JobError::TaskTimedOut { .. })),
                "{error:?}"
            );
            eventually("the program is gone", LIMIT, || {
                pids_in(&place).iter().all(|pid| !is_running(*pid))
            });
        },
        End::Returned,
    );
}
