//! Nothing is left behind: no zombie, no descriptor.

use std::fs::{self, File};
use std::process;
use std::time::Duration;

use procs::{Pool, SpawnError};

use crate::{double, eventually};

/// The children of a process that have ended and were not collected.
pub fn zombies_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc is there");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(&format!(" Z {parent} ")))
    })
    .collect()
}

/// How many descriptors this process has open.
fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd")
        .expect("/proc is there")
        .count()
}

pub fn starts() {
    procs::init();
    let start_some = |count: u64| {
        for n in 0..count {
            let mut process = procs::spawn(double, n).expect("it starts");
            // Every third is detached, every seventh is killed.
            match n {
                _ if n % 7 == 0 => process.kill(),
                _ if n % 3 == 0 => {}
                _ => assert_eq!(process.join().expect("it returns"), 2 * n),
            }
        }
        let pool = Pool::new(2).expect("it starts");
        assert_eq!(pool.apply(double, 4).expect("it returns"), 8);
        drop(pool);
        eventually("all have ended", Duration::from_secs(60), || {
            procs::active_children().is_empty()
        });
    };
    // What is opened once and stays is open after the first round.
    start_some(3);
    eventually(
        "the keeper has let go of the last",
        Duration::from_secs(60),
        || open_descriptors() <= 10,
    );
    let before = open_descriptors();
    start_some(200);
    eventually(
        "no descriptor more than before",
        Duration::from_secs(60),
        || open_descriptors() <= before,
    );
    assert_eq!(zombies_of(process::id()), [0_u32; 0]);
}

/// Starts a process and a pool with ever fewer descriptors left: each step that makes one fails once.
pub fn exhausted() {
    procs::init();
    procs::spawn(double, 1)
        .expect("it starts")
        .join()
        .expect("it returns");
    let hoard = |keep: usize| {
        let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok())
            .take(100_000)
            .collect();
        files.truncate(files.len() - keep);
        files
    };
    limit_descriptors();
    let (mut refused, mut started) = (0, 0);
    for keep in 0..16 {
        let files = hoard(keep);
        let process = procs::spawn(double, 7);
        let pool = Pool::new(1);
        for error in [process.as_ref().err(), pool.as_ref().err()]
            .into_iter()
            .flatten()
        {
            assert!(
                matches!(error, SpawnError::System(error) if error.is_exhausted()),
                "{error:?}"
            );
            refused += 1;
        }
        drop(files);
        if let Ok(mut process) = process {
            assert_eq!(
                process
                    .join_for(Duration::from_secs(60))
                    .expect("it returns"),
                14
            );
            started += 1;
        }
        if let Ok(pool) = pool {
            assert_eq!(pool.apply(double, 8).expect("it returns"), 16);
            started += 1;
        }
    }
    assert!(
        refused > 4 && started > 4,
        "{refused} refused, {started} started"
    );
    eventually("all have ended", Duration::from_secs(60), || {
        procs::active_children().is_empty()
    });
    assert_eq!(zombies_of(process::id()), [0_u32; 0]);
}

/// Lowers this process's own limit of open files, as `ulimit -n` does.
fn limit_descriptors() {
    let limits = ["--nofile=64:64", "--pid", &process::id().to_string()].map(str::to_owned);
    let status = process::Command::new("prlimit").args(limits).status();
    assert!(status.expect("prlimit(1) exists").success());
}
