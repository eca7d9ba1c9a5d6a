//! A local has one value for each thread, made at its first use there and dropped in time.

use crate::common::within_limit;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use threads::{Local, Lock, spawn};

/// Counts its drops.
struct Noisy(Arc<Lock<usize>>);

impl Drop for Noisy {
    fn drop(&mut self) {
        *self.0.lock() += 1;
    }
}

#[test]
fn each_thread_has_a_local_value_of_its_own() {
    let drops = Arc::new(Lock::new(0));
    let counter = drops.clone();
    let local = Arc::new(Local::new(move || (Cell::new(0), Noisy(counter.clone()))));
    local.with(|(n, _)| n.set(1));
    let other = local.clone();
    let mut thread = spawn(move || other.with(|(n, _)| n.replace(5))).unwrap();
    assert_eq!(thread.join().unwrap(), 0);
    assert_eq!(*drops.lock(), 1);
    assert_eq!(local.with(|(n, _)| n.get()), 1);

    // The values of a local that is gone go when the thread makes its next one.
    drop(local);
    assert_eq!(Local::new(|| 3).get(), 3);
    assert_eq!(*drops.lock(), 2);
}

#[test]
fn a_local_may_use_itself_and_others() {
    let names = Arc::new(Local::new(|| RefCell::new(vec!["a"])));
    let inner = names.clone();
    let count = Local::new(move || inner.with(|names| names.borrow().len()));
    assert_eq!(count.get(), 1);
    names.with(|outer| names.with(|same| assert!(std::ptr::eq(outer, same))));
}

/// Panics at the `n`-th drop of its kind.
struct Exploding {
    drops: Arc<AtomicUsize>,
    at: usize,
}

impl Drop for Exploding {
    fn drop(&mut self) {
        assert_ne!(self.drops.fetch_add(1, Ordering::SeqCst) + 1, self.at);
    }
}

const LOCALS: usize = 4;

fn exploding_locals(at: usize) -> (Arc<AtomicUsize>, Vec<Local<Exploding>>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let local = |_| {
        let drops = drops.clone();
        Local::new(move || Exploding {
            drops: drops.clone(),
            at,
        })
    };
    let locals = (0..LOCALS).map(local).collect();
    (drops, locals)
}

#[test]
fn a_value_that_panics_when_dropped_keeps_no_other_from_being_dropped() {
    within_limit(|| {
        for at in 1..=LOCALS {
            // At the end of the thread.
            let (drops, locals) = exploding_locals(at);
            let locals = Arc::new(locals);
            let used = locals.clone();
            let mut thread =
                spawn(move || used.iter().for_each(|local| local.with(|_| ()))).unwrap();
            thread.join().unwrap();
            assert_eq!(drops.load(Ordering::SeqCst), LOCALS);

            // After the locals, when the thread makes its next value.
            let (drops, locals) = exploding_locals(at);
            locals.iter().for_each(|local| local.with(|_| ()));
            drop(locals);
            assert_eq!(Local::new(|| 3).get(), 3);
            assert_eq!(drops.load(Ordering::SeqCst), LOCALS);
        }
    });
}

/// The nanoseconds that the calling thread has run.
#[cfg(target_os = "linux")]
fn processor_time() -> u64 {
    // The system brings the count up to date when the thread yields.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// The least processor time, of several rounds, for the first use of `count` locals in a thread.
#[cfg(target_os = "linux")]
fn cost_of_first_uses(count: usize) -> u64 {
    let round = move || {
        let locals: Vec<_> = (0..count).map(|n| Local::new(move || n)).collect();
        let before = processor_time();
        locals.iter().for_each(|local| local.with(|_| ()));
        processor_time() - before
    };
    (0..7)
        .map(|_| spawn(round).unwrap().join().unwrap())
        .min()
        .unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn the_first_use_of_a_local_does_not_cost_more_for_each_other_one() {
    within_limit(|| {
        let (few, many) = (cost_of_first_uses(1500), cost_of_first_uses(6000));
        assert!(many < 8 * few, "{few} ns for 1500, {many} ns for 6000");
    });
}
