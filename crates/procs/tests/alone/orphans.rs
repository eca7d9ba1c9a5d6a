//! However a program ends, none of its processes lives on.
//!
//! In each scenario a victim process, this program once more, starts processes, writes their ids to a file and is
//! killed, or exits. Then all of them must be gone within a second.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use procs::Pool;

use crate::{LIMIT, SCENARIO, eventually};

/// Holds the path of the victim's file.
const VICTIM: &str = "PROCS_TEST_VICTIM";

/// How long anything may live on.
const SECOND: Duration = Duration::from_secs(1);

/// Works for ever, in a loop that makes no system call.
#[procs::task]
fn be_busy(folder: PathBuf) {
    note(&folder);
    loop {
        std::hint::spin_loop();
    }
}

/// Has a process and a pool of its own.
#[procs::task]
fn have_children(folder: PathBuf) {
    note(&folder);
    let _process = procs::spawn(be_busy, folder.clone()).expect("it starts");
    let pool = Pool::new(1).expect("it starts");
    pool.apply(be_busy, folder).expect("it never returns");
}

/// Leaves this process's id as the name of a file.
fn note(folder: &Path) {
    fs::write(folder.join(process::id().to_string()), "").expect("the folder is there");
}

/// Plays the victim, or starts it, waits for its `count` processes, has it end, and looks whether all are gone.
fn scenario(count: usize, play: fn(PathBuf), end: fn(&mut process::Child)) {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        return play(folder.into());
    }
    let folder = env::temp_dir().join(format!("procs-victim-{}", process::id()));
    fs::create_dir(&folder).expect("the name is new");
    let program = env::current_exe().expect("this program has a file");
    let scenario = env::var_os(SCENARIO).expect("a scenario is played");
    let mut victim = Command::new(program)
        .env(SCENARIO, scenario)
        .env(VICTIM, &folder)
        .spawn()
        .expect("the victim starts");
    let pids = || -> Vec<u32> {
        let files = fs::read_dir(&folder).expect("the folder is there");
        files
            .filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok())
            .collect()
    };
    eventually("all processes have begun", LIMIT, || pids().len() == count);
    end(&mut victim);
    victim.wait().expect("it is our child");
    let pids = pids();
    eventually("every process is gone", SECOND, || {
        pids.iter().all(|pid| !is_running(*pid))
    });
    fs::remove_dir_all(&folder).expect("the folder is there");
}

/// Whether a process exists and is not a zombie: those are for a new parent to collect.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.starts_with(" Z") && !rest.starts_with(" X"))
}

fn kill(victim: &mut process::Child) {
    victim.kill().expect("it runs");
}

pub fn pool() {
    scenario(
        3,
        |folder| {
            let pool = Pool::new(3).expect("it starts");
            let _ = pool.map(be_busy, [folder.clone(), folder.clone(), folder]);
        },
        kill,
    );
}

pub fn nested() {
    scenario(
        6,
        |folder| {
            // The threads that start them end at once.
            let start = |folder: PathBuf| {
                move || drop(procs::spawn(have_children, folder).expect("it starts"))
            };
            thread::spawn(start(folder.clone()))
                .join()
                .expect("it ends");
            thread::spawn(start(folder)).join().expect("it ends");
            thread::sleep(LIMIT);
        },
        kill,
    );
}

/// The victim leaves its main function by itself, while its processes work.
pub fn detached() {
    scenario(
        1,
        |folder| {
            drop(procs::spawn(be_busy, folder.clone()).expect("it starts"));
            eventually("it has begun", LIMIT, || {
                fs::read_dir(&folder).is_ok_and(|files| files.count() > 0)
            });
            thread::sleep(Duration::from_millis(50));
        },
        |_| {},
    );
}
