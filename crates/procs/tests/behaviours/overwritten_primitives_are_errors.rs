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

/// Overwrites words at random places of the memory's first pages, until it is killed or has overwritten the event so.
#[procs::task]
fn overwrite_words(all: All, end: Event, seed: u64) {
    let files: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let link = fs::read_link(&path).ok()?;
            let is_memory = link.starts_with("/memfd:procs (deleted)");
            let file = is_memory.then(|| OpenOptions::new().read(true).write(true).open(&path));
            file?.ok()
        })
        .collect();
    let mut state = seed;
    while !end.is_set() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let file = &files[(state >> 33) as usize % files.len()];
        let place = (state >> 20) % 4096 / 4 * 4;
        let bytes = if state & 1 == 0 {
            state.to_be_bytes()
        } else {
            [0; 8]
        };
        file.write_all_at(&bytes[..4], place).unwrap();
    }
    drop(all);
}

/// Any result is allowed, but a crash or a call that goes beyond its time limit.
#[test]
fn words_of_the_memory_are_overwritten_while_it_is_in_use() {
    const SHORT: Duration = Duration::from_millis(2);
    for seed in 1..4 {
        let all = all();
        let end = Event::new().unwrap();
        let mut process = procs::spawn(overwrite_words, (all.clone(), end.clone(), seed)).unwrap();
        let use_all = |all: All| {
            let ((held, other, recursive), (semaphore, bounded), (condition, event, barrier)) = all;
            for _ in 0..100 {
                drop(held.lock_for(SHORT));
                drop((recursive.try_lock(), recursive.recover_for(SHORT)));
                drop((semaphore.acquire_for(SHORT), semaphore.recover_for(SHORT)));
                let _ = (bounded.release(1), bounded.acquire_for(SHORT));
                let _ = (event.wait_for(SHORT), barrier.wait_for(SHORT));
                if let Ok(mut guard) = other.recover_for(SHORT) {
                    let _ = condition.wait_for(&mut guard, SHORT);
                }
                condition.notify(1);
                barrier.reset();
            }
        };
        let threads = [(); 3].map(|()| {
            let all = all.clone();
            thread::spawn(move || use_all(all))
        });
        for thread in threads {
            eventually("the calls end", || thread.is_finished());
            thread.join().unwrap();
        }
        end.set();
        process.kill().unwrap();
        let _ = process.join_for(LIMIT);
    }
}
