//! One wait over several kinds of things: the first is found, and nobody else's wake-up is lost.

use crate::common::{LONG, SHORT, until, within_limit};
use std::sync::Arc;
use std::time::Instant;
use threads::{
    Event, Latch, LifoQueue, Pool, PriorityQueue, Queue, Shutdown, SimpleQueue, TimedOut, Waitable,
    spawn, wait_any, wait_any_for,
};

#[test]
fn each_kind_wakes_the_waiter() {
    within_limit(|| {
        let (fifo, lifo, simple) = (
            Queue::bounded(1),
            LifoQueue::unbounded(),
            SimpleQueue::new(),
        );
        let priority = PriorityQueue::unbounded();
        let (event, latch) = (Event::new(), Latch::new(1));
        let gate = Arc::new(Event::new());
        let opened = gate.clone();
        let thread = spawn(move || opened.wait()).unwrap();
        let pool = Pool::new(1).unwrap();
        let job_gate = Queue::<()>::bounded(1);
        let job_opened = job_gate.clone();
        let job = pool.submit(move || job_opened.get());

        let things = || -> [&dyn Waitable; 8] {
            [
                &job, &thread, &latch, &event, &priority, &simple, &lifo, &fifo,
            ]
        };
        let start = Instant::now();
        assert_eq!(wait_any_for(&things(), SHORT), Err(TimedOut));
        assert!(start.elapsed() >= SHORT);
        // From the last to the first, so that the smallest index is the newest.
        let act = |index: usize| match index {
            7 => fifo.put(1).unwrap(),
            6 => lifo.put(1).unwrap(),
            5 => simple.put(1),
            4 => priority.put(1, 1).unwrap(),
            3 => event.set(),
            2 => latch.count_down(),
            1 => gate.set(),
            _ => job_gate.put(()).unwrap(),
        };
        threads::scope(|s| {
            for index in (0..8).rev() {
                let things = &things;
                let mut waiter = s
                    .spawn(move || {
                        while wait_any(&things()) != index {
                            std::thread::yield_now();
                        }
                    })
                    .unwrap();
                act(index);
                waiter.join_for(LONG).unwrap();
            }
        });
    });
}

#[test]
fn a_shut_down_queue_is_ready() {
    let queue = Queue::<u8>::unbounded();
    queue.shutdown(Shutdown::Drain);
    assert_eq!(wait_any(&[&queue]), 0);
}

#[test]
fn an_item_seen_and_left_wakes_the_next_getter() {
    within_limit(|| {
        for _ in 0..200 {
            let queue = Queue::unbounded();
            let (seen, source) = (queue.clone(), queue.clone());
            let mut looker = spawn(move || wait_any(&[&seen])).unwrap();
            let mut getter = spawn(move || source.get()).unwrap();
            queue.put(1).unwrap();
            assert_eq!(getter.join_for(LONG).unwrap(), Ok(1));
            // The item may be gone before the looker looks.
            queue.put(2).unwrap();
            assert_eq!(looker.join_for(LONG).unwrap(), 0);
        }
    });
}

#[test]
fn a_worker_waits_for_its_own_pools_jobs_without_blocking_it() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let inner = pool.clone();
        let job = pool.submit(move || {
            let (a, b) = (inner.submit(|| 1), inner.submit(|| 2));
            wait_any(&[&a, &b])
        });
        assert_eq!(job.result().unwrap(), 0);
    });
}

/// Whether the system has put the thread to sleep.
#[cfg(target_os = "linux")]
fn is_asleep(thread: &threads::ThreadInfo) -> bool {
    let Some(id) = thread.native_id() else {
        return false;
    };
    let stat = std::fs::read_to_string(format!("/proc/self/task/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('S'))
}

#[test]
#[cfg(target_os = "linux")]
fn an_event_that_is_set_and_cleared_at_once_was_ready() {
    within_limit(|| {
        for _ in 0..20 {
            let (event, other) = (Arc::new(Event::new()), Queue::<()>::unbounded());
            let pulsed = event.clone();
            let mut waiter = spawn(move || wait_any_for(&[&other, &*pulsed], LONG / 4)).unwrap();
            until(|| is_asleep(waiter.info()));
            event.set();
            event.clear();
            assert_eq!(waiter.join().unwrap(), Ok(1));
        }
    });
}
