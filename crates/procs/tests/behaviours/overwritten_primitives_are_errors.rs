//! A process that overwrites a primitive's memory makes calls fail; it crashes no other process and blocks none.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use procs::sync::{Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore};
use procs::{BarrierError, ConditionError, EventError, LockError, ReleaseError};

use crate::common::{LIMIT, eventually};

type All = (
    (Lock, Lock, RLock),
    (Semaphore, BoundedSemaphore),
    (Condition, Event, Barrier),
);

fn all() -> All {
    (
        (
            Lock::new().unwrap(),
            Lock::new().unwrap(),
            RLock::new().unwrap(),
        ),
        (
            Semaphore::new(1).unwrap(),
            BoundedSemaphore::new(0).unwrap(),
        ),
        (
            Condition::new().unwrap(),
            Event::new().unwrap(),
            Barrier::new(2).unwrap(),
        ),
    )
}

/// Bytes to overwrite memory with.
fn pattern(number: u8, length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    match number {
        0 => vec![0; length],
        1 => vec![0xff; length],
        _ => (0..length).map(|_| random()).collect(),
    }
}

/// Overwrites every memory file that this process has received.
#[procs::task]
fn overwrite(_all: All, number: u8) -> usize {
    let mut count = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let is_memory = |link: &std::path::PathBuf| link.starts_with("/memfd:procs (deleted)");
        if fs::read_link(&path).ok().as_ref().is_some_and(is_memory) {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            let length = file.metadata().unwrap().len() as usize;
            file.write_all_at(&pattern(number, length), 0).unwrap();
            count += 1;
        }
    }
    count
}

/// Calls that block until the memory is overwritten.
fn blocked(all: &All) -> Vec<JoinHandle<bool>> {
    let ((held, other, recursive), (semaphore, bounded), (condition, event, barrier)) = all.clone();
    vec![
        thread::spawn(move || held.lock().unwrap_err() == LockError::Broken),
        thread::spawn(move || recursive.lock().unwrap_err() == LockError::Broken),
        thread::spawn(move || semaphore.acquire().unwrap_err() == LockError::Broken),
        thread::spawn(move || bounded.acquire() == Err(LockError::Broken)),
        thread::spawn(move || event.wait() == Err(EventError::Broken)),
        thread::spawn(move || barrier.wait() == Err(BarrierError::Broken)),
        thread::spawn(move || {
            let mut guard = other.lock().unwrap();
            condition.wait(&mut guard) == Err(ConditionError::Broken)
        }),
    ]
}

#[test]
fn all_of_the_memory_is_overwritten_while_it_is_in_use() {
    for number in 0..3 {
        let all = all();
        let ((held, other, recursive), (semaphore, bounded), (condition, event, barrier)) = &all;
        let guards = (held.lock().unwrap(), recursive.lock().unwrap());
        let permit = semaphore.acquire().unwrap();
        let threads = blocked(&all);
        eventually("they wait", || barrier.waiting() == 1);
        thread::sleep(Duration::from_millis(50));
        let mut process = procs::spawn(overwrite, (all.clone(), number)).unwrap();
        assert!(process.join_for(LIMIT).unwrap() >= 8);
        for (index, thread) in threads.into_iter().enumerate() {
            eventually("the call ends", || thread.is_finished());
            assert!(thread.join().unwrap(), "thread {index}, pattern {number}");
        }
        // What was owned meanwhile is given up without a crash.
        drop((guards, permit));
        for lock in [held, other] {
            assert_eq!(lock.lock().unwrap_err(), LockError::Broken);
            assert_eq!(lock.try_lock().unwrap_err(), LockError::Broken);
            assert_eq!(lock.recover().unwrap_err(), LockError::Broken);
        }
        assert_eq!(recursive.lock().unwrap_err(), LockError::Broken);
        assert_eq!(semaphore.acquire().unwrap_err(), LockError::Broken);
        assert_eq!(semaphore.release(1), Err(ReleaseError::Broken));
        assert_eq!(bounded.try_acquire(), Err(LockError::Broken));
        assert_eq!(bounded.release(0), Err(ReleaseError::Broken));
        assert_eq!(event.wait(), Err(EventError::Broken));
        assert_eq!(barrier.wait(), Err(BarrierError::Broken));
        assert!(barrier.is_broken());
        assert_eq!(condition.notify_all(), 0);
        event.set();
        barrier.reset();
        let _ = (event.is_set(), semaphore.available(), bounded.available());
        let _ = (barrier.parties(), barrier.waiting(), format!("{all:?}"));
    }
}
