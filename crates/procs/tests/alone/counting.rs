//! Nothing is left behind: no zombie, no descriptor.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process;
use std::time::Duration;

use procs::{
    CommandError, JobError, Pool, Process, ProcessError, Queue, ReceiveError, SendError,
    SharedMemory, SpawnError, StartError, StartMethod, SystemError,
};

use crate::fork_server::{fork_server, signal};
use crate::surroundings::Copy;
use crate::{LIMIT, double, eventually};

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
                _ if n % 7 == 0 => process.kill().unwrap(),
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
    start_some(10_000 / u64::from(crate::PART));
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

/// Takes all descriptors but a few.
fn hoard(keep: usize) -> Vec<File> {
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok())
        .take(100_000)
        .collect();
    files.truncate(files.len() - keep);
    files
}

/// Lowers this process's own limit of open files, as `ulimit -n` does.
fn limit_descriptors() {
    let limits = ["--nofile=64:64", "--pid", &process::id().to_string()].map(str::to_owned);
    let status = process::Command::new("prlimit").args(limits).status();
    assert!(status.expect("prlimit(1) exists").success());
}

/// Everything else that makes a descriptor says so when there is none, and works again later.
pub fn exhausted_elsewhere() {
    procs::init();
    let pool = Pool::new(1).expect("it starts");
    limit_descriptors();
    let (mut refused, mut made) = (0, 0);
    let mut count = |result: Result<(), SystemError>| match result {
        Ok(()) => made += 1,
        Err(error) => {
            assert!(error.is_exhausted(), "{error}");
            refused += 1;
        }
    };
    for keep in 0..8 {
        let files = hoard(keep);
        count(procs::channel::<u32>().map(drop));
        count(Queue::<u32>::new(4).map(drop));
        count(SharedMemory::new(4096).map(drop));
        count(match procs::command("true").run() {
            Ok(output) => {
                assert!(output.status().success());
                Ok(())
            }
            Err(CommandError::System(error)) => Err(error),
            Err(error) => panic!("{error}"),
        });
        assert_eq!(pool.apply(double, 3).expect("it needs none"), 6);
        drop(files);
    }
    assert!(refused > 4 && made > 4, "{refused} refused, {made} made");
    // What does not fit into a packet needs a descriptor here and one there.
    let (one, other) = procs::channel::<Vec<u8>>().expect("there are some");
    let large = vec![1; 1 << 20];
    let files = hoard(0);
    assert!(matches!(
        one.send(&large),
        Err(SendError::System(error)) if error.is_exhausted()
    ));
    drop(files);
    one.send(&large).expect("there are some");
    let files = hoard(0);
    assert!(matches!(
        other.receive(),
        Err(ReceiveError::System(error)) if error.is_exhausted()
    ));
    drop(files);
    one.send(&large).expect("there are some");
    assert_eq!(other.receive().expect("there are some"), large);
}

/// A worker that dies while no other can be started: its task ends in an error, what waits in an error or a result.
pub fn exhausted_when_a_worker_dies() {
    procs::init();
    let pool = Pool::new(1).expect("it starts");
    limit_descriptors();
    // The worker's own descriptors are free again once it is buried; they are taken as they come.
    let mut files = hoard(0);
    let mut jobs = vec![pool.submit(exit, ())];
    jobs.extend((0..10).map(|_| pool.submit(exit, ())));
    while !jobs.iter().all(procs::Job::is_done) {
        files.extend(File::open("/dev/null"));
    }
    for mut job in jobs {
        match job.result_for(LIMIT) {
            Err(JobError::WorkerDied { status, .. }) if status.code() == Some(3) => {}
            Err(JobError::Broken(StartError::System(error))) if error.is_exhausted() => {}
            other => panic!("{other:?}"),
        }
    }
}

#[procs::task]
fn exit() {
    process::exit(3);
}

/// The system's limit of processes, which is one of a user: nobody else must be that user.
pub fn no_processes() {
    procs::init();
    // SAFETY: it takes nothing and returns an integer.
    if unsafe { libc::geteuid() } == 0 {
        let copy = Copy::new();
        // Root has no such limit; this user has no other process.
        let user = 2_000_000_000 + process::id();
        let status = copy.command().uid(user).gid(user).current_dir("/").status();
        return assert!(status.expect("it starts").success());
    }
    let pool = Pool::new(1).expect("it starts");
    let (mut refused, mut started) = (0, 0);
    for limit in 1..20 {
        limit_processes(limit);
        for method in [StartMethod::Spawn, StartMethod::ForkServer] {
            match start_double(method) {
                Ok(()) => started += 1,
                Err(error) => {
                    assert!(error.is_exhausted(), "{error}");
                    refused += 1;
                }
            }
        }
        match Pool::new(2) {
            Ok(pool) => assert_eq!(pool.apply(double, 8).expect("it runs"), 16),
            Err(SpawnError::System(error) | SpawnError::Start(StartError::System(error))) => {
                assert!(error.is_exhausted(), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(pool.apply(double, 3).expect("it is there already"), 6);
        eventually("all others have ended", LIMIT, || {
            procs::active_children().len() == 1
        });
        // The next one has the next limit: a fork server keeps the one with which it was started.
        limit_processes(u64::MAX);
        if let Some(server) = fork_server() {
            signal(server, "KILL");
        }
    }
    assert!(
        refused > 2 && started > 2,
        "{refused} refused, {started} started"
    );
    drop(pool);
    // The fork server that was killed last is collected before there is another.
    start_double(StartMethod::ForkServer).expect("nothing is limited any more");
    assert_eq!(zombies_of(process::id()), [0_u32; 0]);
}

/// Runs one process, or says what the system refuses: the process, or a thread in it.
fn start_double(method: StartMethod) -> Result<(), SystemError> {
    let builder = Process::builder().start_method(method);
    match builder
        .spawn(double, 7)
        .map(|mut process| process.join_for(LIMIT))
    {
        Ok(Ok(value)) => {
            assert_eq!(value, 14);
            Ok(())
        }
        Err(SpawnError::System(error) | SpawnError::Start(StartError::System(error)))
        | Ok(Err(ProcessError::Start(StartError::System(error)))) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// Lowers this process's limit of processes, as `ulimit -Su` does.
fn limit_processes(count: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a place for what is read, and for what is set; it outlives both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &raw mut limit), 0);
        limit.rlim_cur = count.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit), 0);
    }
}
