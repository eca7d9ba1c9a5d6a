//! A worker that dies takes down the one task that it was running; everything else ends as if nothing had happened.

use std::fs;
use std::io::Write;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use procs::{JobError, Limit, Pool, StartError};
use serde::{Deserialize, Serialize};

use crate::common::{Folder, LIMIT, eventually, mark_and_sleep, run_program, signal, stop};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

#[procs::task]
fn sleep_for_ever() {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
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
fn overflow(n: u64) -> u64 {
    // Defeats the optimiser: each call needs the result of the next.
    if n == u64::MAX {
        0
    } else {
        std::hint::black_box(overflow(std::hint::black_box(n + 1))) + 1
    }
}

/// What a task of 50 µs and a number gives, with its worker's pid.
#[procs::task]
fn busy_square(n: u64) -> u64 {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(50) {}
    n * n
}

/// Kills its process when it is decoded.
#[derive(Serialize)]
struct Poison;

impl<'de> Deserialize<'de> for Poison {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        process::abort()
    }
}

#[procs::task]
fn swallow(_: Poison) {}

#[test]
fn sigkill_in_a_task_is_told_with_signal_and_pid_and_the_worker_is_replaced() {
    let pool = Pool::new(1).unwrap();
    let worker = pool.workers()[0].pid();
    let folder = Folder::new();
    let mark = folder.path("begun");
    let mut lost = pool.submit(mark_and_sleep, mark.clone());
    let mut waiting: Vec<_> = (0..10).map(|n| pool.submit(square, n)).collect();
    eventually("the task runs", || mark.exists());
    signal(worker, "KILL");
    let error = lost.result_for(LIMIT).unwrap_err();
    assert!(
        matches!(error, JobError::WorkerDied { pid, status, .. } if pid == worker && status.signal() == Some(9))
    );
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    for (n, job) in waiting.iter_mut().enumerate() {
        assert_eq!(job.result_for(LIMIT).unwrap(), (n * n) as u64);
    }
    assert_ne!(pool.workers()[0].pid(), worker);
}

#[test]
fn an_idle_worker_that_is_killed_is_replaced_and_no_task_notices() {
    let pool = Pool::new(2).unwrap();
    for _ in 0..3 {
        let before = pool.workers();
        before
            .iter()
            .for_each(|worker| signal(worker.pid(), "KILL"));
        assert_eq!(pool.map_collect(square, 0..1000).unwrap().len(), 1000);
        eventually("both are replaced", || {
            let now = pool.workers();
            now.len() == 2 && now.iter().all(|worker| !before.contains(worker))
        });
    }
}

#[test]
fn exits_aborts_overflows_and_poison_are_told_apart() {
    let pool = Pool::new(2).unwrap();
    let mut jobs = [
        pool.submit(exit_with, 0),
        pool.submit(exit_with, 3),
        pool.submit(abort, ()),
    ];
    let mut deep = pool.submit(overflow, 0);
    let mut poison = pool.submit(swallow, Poison);
    assert!(matches!(
        jobs[0].result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.code() == Some(0)
    ));
    assert!(matches!(
        jobs[1].result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.code() == Some(3)
    ));
    assert!(matches!(
        jobs[2].result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(6)
    ));
    assert!(matches!(
        deep.result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if matches!(status.signal(), Some(6 | 11))
    ));
    assert!(matches!(
        poison.result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(6)
    ));
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn a_death_in_the_middle_of_many_short_tasks_loses_that_one_only() {
    #[procs::task]
    fn square_or_die(n: u64) -> u64 {
        if n % 1000 == 777 {
            process::abort();
        }
        n * n
    }
    let pool = Pool::new(2).unwrap();
    let jobs: Vec<_> = (0..5_000).map(|n| pool.submit(square_or_die, n)).collect();
    for (n, mut job) in (0..).zip(jobs) {
        match job.result_for(LIMIT) {
            Ok(value) => assert_eq!(value, n * n),
            Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(6) => {
                assert_eq!(n % 1000, 777, "{n} was lost with another")
            }
            Err(error) => panic!("{n}: {error}"),
        }
    }
}

#[test]
fn every_task_ends_once_while_workers_are_killed_at_random() {
    let folder = Folder::new();
    /// Leaves a mark for each time that it begins.
    #[procs::task]
    fn marked_square(mark: PathBuf, n: u64) -> u64 {
        let mark = fs::File::create_new(mark);
        assert!(mark.is_ok(), "task {n} was begun twice");
        busy_square(n)
    }
    let pool = Pool::new(3).unwrap();
    let jobs: Vec<_> = (0..2_000)
        .map(|n| pool.submit(marked_square, (folder.path(&n.to_string()), n)))
        .collect();
    let mut kills = 0;
    let (mut values, mut deaths) = (0, 0);
    for (n, mut job) in (0..).zip(jobs) {
        if n % 100 == 50 {
            let workers = pool.workers();
            if let Some(worker) = workers.get(n as usize % workers.len().max(1)) {
                // It may have gone in the meantime; then there is nothing to kill.
                let kill = process::Command::new("kill")
                    .args(["-KILL", &worker.pid().to_string()])
                    .status();
                kills += u32::from(kill.unwrap().success());
            }
        }
        match job.result_for(LIMIT) {
            Ok(value) => {
                assert_eq!(value, n * n);
                values += 1;
            }
            Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(9) => deaths += 1,
            Err(error) => panic!("{n}: {error}"),
        }
    }
    assert_eq!(values + deaths, 2_000);
    assert!(deaths <= kills, "{deaths} tasks lost by {kills} deaths");
}

#[test]
fn with_retries_every_task_ends_in_its_result() {
    let pool = Pool::builder().workers(2).retries(100).build().unwrap();
    let jobs: Vec<_> = (0..500).map(|n| pool.submit(busy_square, n)).collect();
    for (n, mut job) in (0..).zip(jobs) {
        if n % 50 == 0
            && let Some(worker) = pool.workers().first()
        {
            let _ = process::Command::new("kill")
                .args(["-KILL", &worker.pid().to_string()])
                .status();
        }
        assert_eq!(job.result_for(LIMIT).unwrap(), n * n);
    }
}

#[test]
fn a_task_that_takes_too_long_is_killed_alone() {
    let pool = Pool::builder()
        .workers(2)
        .task_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let mut slow = pool.submit(sleep_for_ever, ());
    let squares = pool.map_collect(square, 0..500).unwrap();
    assert_eq!(squares.len(), 500);
    let error = slow.result_for(LIMIT).unwrap_err();
    assert!(
        matches!(error, JobError::TaskTimedOut { limit, .. } if limit == Duration::from_millis(300))
    );
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
}

/// The kill ends the program first, so that the task returns before its worker dies.
#[test]
fn a_task_that_returns_because_its_program_was_killed_has_timed_out() {
    let folder = Folder::new();
    let pool = Pool::builder()
        .workers(1)
        .task_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    for round in 0..5 {
        let mark = folder.path(&round.to_string());
        let mut job = pool.submit(run_program, mark);
        let mut behind = pool.submit(square, round);
        let result = job.result_for(LIMIT);
        assert!(
            matches!(result, Err(JobError::TaskTimedOut { .. })),
            "{result:?}"
        );
        assert_eq!(behind.result_for(LIMIT), Ok(round * round));
    }
}

#[test]
fn a_stopped_worker_is_killed_by_the_task_timeout() {
    let pool = Pool::builder()
        .workers(1)
        .task_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let worker = pool.workers()[0].pid();
    // It has begun to take tasks: a worker that is stopped before that has the start's deadline, not the tasks'.
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
    stop(worker);
    // The stopped worker cannot begin it: it is not lost, but runs in the next one.
    assert_eq!(pool.submit(square, 5).result_for(LIMIT).unwrap(), 25);
    assert_ne!(pool.workers()[0].pid(), worker);
}

#[test]
fn an_initializer_that_takes_too_long_breaks_the_pool_instead_of_hanging_it() {
    let pool = Pool::builder()
        .workers(1)
        .initializer(sleep_for_ever, ())
        .task_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let error = pool.submit(square, 5).result_for(LIMIT).unwrap_err();
    assert!(
        matches!(error, JobError::Broken(StartError::TimedOut(limit)) if limit == Duration::from_millis(20)),
        "{error}"
    );
}

#[test]
fn a_result_that_cannot_be_decoded_fails_only_itself() {
    #[derive(Debug, Serialize)]
    struct Text(String);
    impl<'de> Deserialize<'de> for Text {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <[u64; 8]>::deserialize(deserializer).map(|_| Self(String::new()))
        }
    }
    #[procs::task]
    fn text() -> Text {
        Text("short".into())
    }
    let pool = Pool::new(1).unwrap();
    let mut bad = pool.submit(text, ());
    let mut good = pool.submit(square, 6);
    assert!(matches!(bad.result_for(LIMIT), Err(JobError::Decode(_))));
    assert_eq!(good.result_for(LIMIT).unwrap(), 36);
}

#[test]
fn a_task_that_writes_into_its_workers_socket_fails_alone() {
    #[procs::task]
    fn scribble() {
        // Finds the sockets among its descriptors, as a bug that mixes up descriptors would.
        for entry in fs::read_dir("/proc/self/fd")
            .expect("/proc is there")
            .flatten()
        {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            if target.to_string_lossy().starts_with("socket:") {
                let number = entry
                    .file_name()
                    .to_string_lossy()
                    .parse()
                    .expect("a number");
                write_garbage(number);
            }
        }
        thread::sleep(Duration::from_secs(3600));
    }
    fn write_garbage(number: RawFd) {
        // SAFETY: the descriptor was listed as open a moment ago, and nothing closes descriptors here.
        let socket = unsafe { BorrowedFd::borrow_raw(number) };
        let copy = socket.try_clone_to_owned().expect("a descriptor is free");
        let _ = fs::File::from(copy).write_all(b"garbage, longer than any header");
    }
    let pool = Pool::new(1).unwrap();
    let mut bad = pool.submit(scribble, ());
    let mut good = pool.submit(square, 7);
    assert!(bad.result_for(LIMIT).is_err());
    assert_eq!(good.result_for(LIMIT).unwrap(), 49);
}

#[test]
fn a_task_that_exceeds_a_limit_fails_alone() {
    #[procs::task]
    fn fill(bytes: usize) -> usize {
        std::hint::black_box(vec![1_u8; bytes]).len()
    }
    #[procs::task]
    fn spin() {
        loop {
            std::hint::spin_loop();
        }
    }
    let limits = [
        Limit::Memory(200 << 20),
        Limit::CpuTime(Duration::from_secs(1)),
        Limit::CoreSize(0),
    ];
    let builder = limits
        .into_iter()
        .fold(Pool::builder().workers(2), |builder, limit| {
            builder.limit(limit)
        });
    let pool = builder.build().unwrap();
    let mut greedy = pool.submit(fill, 1 << 30);
    let mut endless = pool.submit(spin, ());
    assert!(matches!(
        greedy.result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(6)
    ));
    let error = endless.result_for(LIMIT).unwrap_err();
    let JobError::WorkerDied { status, usage, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(status.signal(), Some(9 | 24)), "{status}");
    assert!(
        usage.user_time() + usage.system_time() >= Duration::from_millis(500),
        "{usage:?}"
    );
    assert_eq!(pool.apply(fill, 1 << 20).unwrap(), 1 << 20);
}
