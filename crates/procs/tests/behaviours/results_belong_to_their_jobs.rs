//! A result is that of its own job, whatever the task does to its worker: fork it, or overwrite the memory that it shares.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use procs::{JobError, Pool};

use crate::common::{Folder, LIMIT, eventually, is_running};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

/// Duplicates the worker. Both copies return: the original 1, the copy 1,000,000.
#[procs::task]
fn fork_and_return(mark: PathBuf) -> u64 {
    // SAFETY: the copy writes a file and returns from the task, as a program does whose exec has failed.
    let copy = unsafe { libc::fork() } == 0;
    if copy {
        fs::write(mark, std::process::id().to_string()).expect("the folder is there");
        return 1_000_000;
    }
    eventually("the copy runs", || mark.exists());
    1
}

/// The same, but the copy panics.
#[procs::task]
fn fork_and_panic(mark: PathBuf) -> u64 {
    // SAFETY: as above.
    if unsafe { libc::fork() } == 0 {
        fs::write(mark, std::process::id().to_string()).expect("the folder is there");
        panic!("in the copy");
    }
    1
}

/// The copy ends without an answer: it is not the worker.
fn copy_ends(mark: &std::path::Path) {
    let mut pid = None;
    eventually("the copy has begun", || {
        pid = fs::read_to_string(mark)
            .ok()
            .and_then(|text| text.parse().ok());
        pid.is_some()
    });
    let pid = pid.expect("it was waited for");
    eventually("the copy has ended", || !is_running(pid));
}

#[test]
fn a_copy_of_a_worker_does_not_answer() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    let worker = pool.workers()[0].pid();
    for round in 0..5 {
        let mark = folder.path(&round.to_string());
        assert_eq!(
            pool.submit(fork_and_return, mark.clone()).result_for(LIMIT),
            Ok(1)
        );
        copy_ends(&mark);
        for n in 0..50 {
            assert_eq!(pool.submit(square, n).result_for(LIMIT), Ok(n * n));
        }
    }
    let mark = folder.path("panic");
    assert_eq!(
        pool.submit(fork_and_panic, mark.clone()).result_for(LIMIT),
        Ok(1)
    );
    copy_ends(&mark);
    assert_eq!(pool.submit(square, 9).result_for(LIMIT), Ok(81));
    assert_eq!(pool.workers()[0].pid(), worker);
}

#[test]
fn a_copy_of_a_worker_does_not_take_tasks() {
    let (pool, folder) = (Pool::new(2).unwrap(), Folder::new());
    let jobs: Vec<_> = (0..200_u64)
        .map(|n| match n % 10 {
            3 => pool.submit(fork_and_return, folder.path(&n.to_string())),
            _ => pool.submit(square, n),
        })
        .collect();
    for (n, mut job) in (0_u64..).zip(jobs) {
        let expected = if n % 10 == 3 { 1 } else { n * n };
        assert_eq!(job.result_for(LIMIT), Ok(expected), "job {n}");
    }
}

#[test]
fn a_copy_of_an_initialized_worker_does_not_take_tasks() {
    #[procs::task]
    fn fork_first(mark: PathBuf) {
        // SAFETY: as above.
        if unsafe { libc::fork() } == 0 {
            fs::write(mark, std::process::id().to_string()).expect("the folder is there");
        }
    }
    let folder = Folder::new();
    let mark = folder.path("mark");
    let builder = Pool::builder()
        .workers(1)
        .initializer(fork_first, mark.clone());
    let pool = builder.build().unwrap();
    assert_eq!(pool.map_collect(square, 0..500).unwrap()[499], 499 * 499);
    copy_ends(&mark);
}

#[test]
fn a_copy_of_a_process_does_not_answer() {
    let folder = Folder::new();
    for round in 0..5 {
        let mark = folder.path(&round.to_string());
        let mut process = procs::spawn(fork_and_return, mark.clone()).unwrap();
        assert_eq!(process.join_for(LIMIT).unwrap(), 1);
        copy_ends(&mark);
    }
}

/// How a task damages the memory that its worker shares with the parent.
const ZEROES: u8 = 0;
const ONES: u8 = 1;
const NOISE: u8 = 2;

/// Overwrites every writable mapping of a memory file, and then returns, sleeps, or dies.
#[procs::task]
fn scribble(kind: u8, then: u8) -> u64 {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is there");
    let memory = fs::File::options()
        .write(true)
        .open("/proc/self/mem")
        .expect("it is ours");
    for line in maps
        .lines()
        .filter(|line| line.contains("rw-s") && line.contains("memfd:"))
    {
        let range = line.split(' ').next().expect("a range");
        let (start, end) = range.split_once('-').expect("two ends");
        let parse = |text| u64::from_str_radix(text, 16).expect("a hexadecimal number");
        let (start, end) = (parse(start), parse(end));
        let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ start;
        let garbage: Vec<u8> = (start..end)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                match kind {
                    ZEROES => 0,
                    ONES => 0xff,
                    _ => (state >> 56) as u8,
                }
            })
            .collect();
        memory.write_all_at(&garbage, start).expect("it is mapped");
    }
    match then {
        0 => 123,
        1 => loop {
            thread::sleep(Duration::from_secs(3600));
        },
        _ => std::process::abort(),
    }
}

#[test]
fn a_worker_that_overwrites_its_shared_memory_gives_errors_and_no_wrong_value() {
    for kind in [ZEROES, ONES, NOISE] {
        for then in [0, 1, 2] {
            let builder = Pool::builder()
                .workers(1)
                .task_timeout(Duration::from_millis(500));
            let pool = builder.build().unwrap();
            // The worker is known to be quick, and is given several jobs in advance.
            pool.map_collect(square, 0..2_000).unwrap();
            let before: Vec<_> = (0..50).map(|n| pool.submit(square, n)).collect();
            let mut bad = pool.submit(scribble, (kind, then));
            let after: Vec<_> = (0..50).map(|n| pool.submit(square, n)).collect();
            for (n, mut job) in (0..50).chain(0..50).zip(before.into_iter().chain(after)) {
                match job.result_for(LIMIT) {
                    Ok(value) => assert_eq!(value, n * n, "{kind} {then}"),
                    Err(JobError::TimedOut) => panic!("{kind} {then}: job {n} does not end"),
                    Err(_) => {}
                }
            }
            match bad.result_for(LIMIT) {
                Ok(value) => assert_eq!((value, then), (123, 0)),
                Err(JobError::TimedOut) => panic!("{kind} {then}: it does not end"),
                Err(_) => {}
            }
            assert_eq!(
                pool.submit(square, 7).result_for(LIMIT),
                Ok(49),
                "{kind} {then}"
            );
        }
    }
}

/// The first task of a worker's life: nothing was answered before it.
#[test]
fn a_first_task_that_overwrites_the_shared_memory_is_not_run_for_ever() {
    for kind in [ZEROES, ONES, NOISE] {
        let pool = Pool::new(1).unwrap();
        let mut bad = pool.submit(scribble, (kind, 2));
        assert!(
            matches!(bad.result_for(LIMIT), Err(JobError::WorkerDied { .. })),
            "{kind}"
        );
        assert_eq!(pool.submit(square, 7).result_for(LIMIT), Ok(49));
    }
}
