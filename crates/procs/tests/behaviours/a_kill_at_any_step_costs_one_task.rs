//! Wherever in a task's way its worker is killed or stopped, that task ends in an error and every other in its result.

use std::fs;
use std::path::{Path, PathBuf};
use std::ptr;
use std::thread;
use std::time::Duration;

use procs::{JobError, Pool};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::{Folder, LIMIT, eventually, mark_and_sleep, signal, stop};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

/// Writes its process's id into a file and waits to be killed.
fn halt(mark: &Path) -> ! {
    fs::write(mark, std::process::id().to_string()).expect("the folder is there");
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Is never decoded: who tries waits for ever.
#[derive(Serialize)]
struct StuckWhenRead(PathBuf);

impl<'de> Deserialize<'de> for StuckWhenRead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        halt(&PathBuf::deserialize(deserializer)?)
    }
}

/// Is never encoded: who tries waits for ever.
#[derive(Debug, Deserialize)]
struct StuckWhenWritten(PathBuf);

impl Serialize for StuckWhenWritten {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        halt(&self.0)
    }
}

#[procs::task]
fn read(_: StuckWhenRead) {}

#[procs::task]
fn write(mark: PathBuf) -> StuckWhenWritten {
    StuckWhenWritten(mark)
}

#[procs::task]
fn bytes(mark: PathBuf, count: usize) -> Vec<u8> {
    fs::write(mark, std::process::id().to_string()).expect("the folder is there");
    vec![7; count]
}

#[procs::task]
fn wait_for(mark: PathBuf) {
    eventually("there is the mark", || mark.exists());
}

#[procs::task]
fn leave_at_once(code: i32) {
    // SAFETY: it takes an integer and does not return; nothing is left half done that anybody would look at.
    unsafe { libc::_exit(code) }
}

#[procs::task]
fn write_nowhere() {
    // SAFETY: none: nothing is mapped there. It stands for the foreign code whose crash the pool is to survive.
    unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
}

/// Waits for the mark that a job leaves when it is where it shall be killed; returns the worker.
fn reached(mark: &Path) -> u32 {
    let mut pid = None;
    eventually("the job is there", || {
        pid = fs::read_to_string(mark)
            .ok()
            .and_then(|text| text.parse().ok());
        pid.is_some()
    });
    pid.expect("it was waited for")
}

fn killed(error: &JobError) -> bool {
    matches!(
        error,
        JobError::WorkerDied { status, .. } if status.signal() == Some(9)
    )
}

#[test]
fn while_it_decodes_the_arguments() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    let mut lost = pool.submit(read, StuckWhenRead(folder.path("mark")));
    let mut next = pool.submit(square, 3);
    signal(reached(&folder.path("mark")), "KILL");
    assert!(killed(&lost.result_for(LIMIT).unwrap_err()));
    assert_eq!(next.result_for(LIMIT).unwrap(), 9);
}

#[test]
fn while_it_encodes_the_result() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    let mut lost = pool.submit(write, folder.path("mark"));
    let mut next = pool.submit(square, 3);
    signal(reached(&folder.path("mark")), "KILL");
    assert!(killed(&lost.result_for(LIMIT).unwrap_err()));
    assert_eq!(next.result_for(LIMIT).unwrap(), 9);
}

/// At moments that are spread over the making and the sending of a large result.
#[test]
fn while_it_sends_the_result() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    let count = 32 << 20;
    let mut deaths = 0;
    for round in 0..20 {
        let mark = folder.path(&round.to_string());
        let mut lost = pool.submit(bytes, (mark.clone(), count));
        let mut next = pool.submit(square, 3);
        let worker = reached(&mark);
        thread::sleep(Duration::from_millis(round));
        if pool
            .workers()
            .first()
            .is_some_and(|now| now.pid() == worker)
        {
            signal(worker, "KILL");
        }
        match lost.result_for(LIMIT) {
            Ok(sent) => assert!(sent.len() == count && sent.iter().all(|byte| *byte == 7)),
            Err(error) => {
                assert!(killed(&error), "{error}");
                deaths += 1;
            }
        }
        assert_eq!(next.result_for(LIMIT).unwrap(), 9);
    }
    assert!(deaths > 0, "no kill hit the result");
}

#[test]
fn while_it_leaves_or_crashes_by_itself() {
    let pool = Pool::new(2).unwrap();
    let mut left = pool.submit(leave_at_once, 0);
    let mut crashed = pool.submit(write_nowhere, ());
    let squares = pool.map_collect(square, 0..1000).unwrap();
    assert_eq!(squares[999], 999 * 999);
    assert!(matches!(
        left.result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.code() == Some(0)
    ));
    assert!(matches!(
        crashed.result_for(LIMIT),
        Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(11)
    ));
}

#[test]
fn while_it_stands_still_in_the_middle() {
    let limit = Duration::from_millis(300);
    let builder = Pool::builder().workers(1).task_timeout(limit);
    let (pool, folder) = (builder.build().unwrap(), Folder::new());
    let mark = folder.path("mark");
    let mut lost = pool.submit(mark_and_sleep, mark.clone());
    let mut next = pool.submit(square, 3);
    eventually("it runs", || mark.exists());
    stop(pool.workers()[0].pid());
    assert!(matches!(
        lost.result_for(LIMIT),
        Err(JobError::TaskTimedOut { .. })
    ));
    assert_eq!(next.result_for(LIMIT).unwrap(), 9);
}

/// The kernel's "die with your parent" means a thread: it must not be the one that made the pool.
#[test]
fn but_not_when_the_thread_that_made_the_pool_ends() {
    let pool = thread::spawn(|| Pool::new(2).unwrap()).join().unwrap();
    let workers = pool.workers();
    let ran = thread::scope(|scope| {
        let submit = || pool.submit(square, 5);
        scope.spawn(submit).join().unwrap().result().unwrap()
    });
    assert_eq!(ran, 25);
    assert_eq!(pool.map_collect(square, 0..100).unwrap().len(), 100);
    assert_eq!(pool.workers(), workers, "one has ended with that thread");
}
