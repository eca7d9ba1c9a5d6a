//! A thread that waits for another process wakes rarely, however many wait.

use std::fs;
use std::process;
use std::thread;
use std::time::Duration;

use procs::sync::{Barrier, BoundedSemaphore, Condition, Event, Lock, Semaphore};

use crate::common::eventually;

/// Times that threads of this process with a name have gone to sleep, and the number of threads.
fn sleeps(name: &str) -> (u64, usize) {
    let tasks = fs::read_dir(format!("/proc/{}/task", process::id())).unwrap();
    let texts = tasks.filter_map(|task| {
        let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let is_named = status.lines().next()?.ends_with(&format!("\t{name}"));
        is_named.then_some(status)
    });
    let count = |status: String| {
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.split_whitespace().last()?.parse::<u64>().ok()
    };
    let counts: Vec<_> = texts.filter_map(count).collect();
    (counts.iter().sum(), counts.len())
}

/// Sleeps of all threads with a name, within three seconds after their first ones.
fn sleeps_at_rest(name: &str, threads: usize) -> u64 {
    eventually("all have begun", || sleeps(name).1 == threads);
    // Until the intervals between two looks have grown.
    thread::sleep(Duration::from_secs(2));
    let before = sleeps(name).0;
    thread::sleep(Duration::from_secs(3));
    sleeps(name).0 - before
}

fn start(name: &str, wait: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(64 * 1024)
        .spawn(wait)
        .unwrap();
}

#[test]
fn an_idle_waiter_of_each_kind_wakes_once_a_second() {
    const NAME: &str = "rests-alone";
    let event = Event::new().unwrap();
    let semaphore = Semaphore::new(0).unwrap();
    let bounded = BoundedSemaphore::new(1).unwrap();
    bounded.acquire().unwrap();
    let barrier = Barrier::new(2).unwrap();
    let (lock, condition) = (Lock::new().unwrap(), Condition::new().unwrap());
    let clones = (event.clone(), semaphore.clone(), bounded.clone());
    let (waits, acquires, acquires_too) = clones;
    start(NAME, move || waits.wait().unwrap());
    start(NAME, move || drop(acquires.acquire().unwrap()));
    start(NAME, move || acquires_too.acquire().unwrap());
    let meets = barrier.clone();
    start(NAME, move || assert!(meets.wait().is_ok()));
    let (owns, waits) = (lock.clone(), condition.clone());
    start(NAME, move || {
        waits.wait(&mut owns.lock().unwrap()).unwrap();
    });
    let count = sleeps_at_rest(NAME, 5);
    assert!(
        count <= 5 * 6,
        "{count} sleeps of five threads in three seconds"
    );
    // They wait still, and end.
    event.set();
    semaphore.release(1).unwrap();
    bounded.release(1).unwrap();
    barrier.wait().unwrap();
    eventually("it is notified", || {
        let _guard = lock.lock().unwrap();
        condition.notify_all() > 0 || sleeps(NAME).1 == 0
    });
    eventually("all have ended", || sleeps(NAME).1 == 0);
}

#[test]
fn the_wake_ups_of_many_waiters_grow_with_their_number() {
    let mut counts = Vec::new();
    for (name, threads) in [("rests-few", 40), ("rests-many", 160)] {
        let (lock, condition) = (Lock::new().unwrap(), Condition::new().unwrap());
        for _ in 0..threads {
            let (lock, condition) = (lock.clone(), condition.clone());
            start(name, move || {
                condition.wait(&mut lock.lock().unwrap()).unwrap();
            });
        }
        counts.push(sleeps_at_rest(name, threads));
        let mut woken = 0;
        eventually("all are notified", || {
            let _guard = lock.lock().unwrap();
            woken += condition.notify_all();
            woken == threads
        });
        eventually("all have ended", || sleeps(name).1 == 0);
    }
    // Once a second for each, and some that slept for the lock.
    assert!(counts[0] <= 40 * 6, "{counts:?}");
    assert!(counts[1] <= 160 * 6, "{counts:?}");
}
