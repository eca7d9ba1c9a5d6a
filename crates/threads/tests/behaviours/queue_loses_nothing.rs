//! Every item put is got exactly once or handed back, whoever waits, gives up or shuts down.

use crate::common::{LONG, SHORT, within_limit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use threads::{GetError, PutError, Queue, Shutdown, Thread, TimedOut, TooManyTasksDone, spawn};

fn join_all<T>(threads: Vec<Thread<T>>) -> Vec<T> {
    let join = |mut thread: Thread<T>| thread.join().expect("no panic");
    threads.into_iter().map(join).collect()
}

#[test]
fn items_come_out_in_the_order_they_went_in() {
    for queue in [
        Queue::bounded(1),
        Queue::bounded(3),
        Queue::bounded(100_000),
        Queue::unbounded(),
    ] {
        let sink = queue.clone();
        let mut putter = spawn(move || (0..10_000).for_each(|n| sink.put(n).unwrap())).unwrap();
        for n in 0..10_000 {
            assert_eq!(queue.get_for(LONG), Ok(n));
        }
        putter.join().unwrap();
        assert!(queue.is_empty());
    }
}

#[test]
fn a_full_queue_hands_the_item_back() {
    let queue = Queue::bounded(2);
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    assert_eq!(queue.try_put(3), Err(PutError::Full(3)));
    let start = Instant::now();
    assert_eq!(queue.put_for(3, SHORT), Err(PutError::TimedOut(3)));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(queue.put_until(3, start), Err(PutError::TimedOut(3)));
    assert_eq!((queue.len(), queue.capacity()), (2, Some(2)));
}

#[test]
fn a_batch_is_put_whole_or_the_rest_is_kept() {
    within_limit(|| {
        let queue = Queue::bounded(2);
        let mut items = vec![1, 2, 3, 4, 5];
        assert_eq!(queue.try_put_many(&mut items), Err(PutError::Full(())));
        assert_eq!(items, [3, 4, 5]);
        let start = Instant::now();
        let late = queue.put_many_for(&mut items, SHORT);
        assert_eq!((late, items.len()), (Err(PutError::TimedOut(())), 3));
        assert!(start.elapsed() >= SHORT);
        let sink = queue.clone();
        let mut putter = spawn(move || {
            let outcome = sink.put_many(&mut items);
            (outcome, items)
        })
        .unwrap();
        for n in 1..=5 {
            assert_eq!(queue.get_for(LONG), Ok(n));
        }
        let (outcome, mut items) = putter.join().unwrap();
        assert_eq!((outcome, items.len()), (Ok(()), 0));
        queue.shutdown(Shutdown::Drain);
        items.push(6);
        assert_eq!(queue.put_many(&mut items), Err(PutError::Closed(())));
        assert_eq!(items, [6]);
    });
}

#[test]
fn an_empty_queue_says_so() {
    let queue = Queue::<u8>::unbounded();
    assert_eq!(queue.try_get(), Err(GetError::Empty));
    let start = Instant::now();
    assert_eq!(queue.get_for(SHORT), Err(GetError::TimedOut));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(queue.get_until(start), Err(GetError::TimedOut));
    assert_eq!(queue.capacity(), None);
}

#[test]
fn a_get_releases_a_waiting_put() {
    within_limit(|| {
        let queue = Queue::bounded(1);
        queue.put('a').unwrap();
        let sink = queue.clone();
        let mut putter = spawn(move || sink.put('b')).unwrap();
        assert_eq!(queue.get(), Ok('a'));
        putter.join().unwrap().unwrap();
        assert_eq!(queue.get(), Ok('b'));
    });
}

#[test]
fn a_put_releases_a_get_that_waits_without_limit() {
    within_limit(|| {
        let queue = Queue::unbounded();
        let getters = (0..4).map(|_| {
            let source = queue.clone();
            spawn(move || source.get().unwrap()).unwrap()
        });
        let getters: Vec<_> = getters.collect();
        (0..4).for_each(|n| queue.put(n).unwrap());
        let mut got = join_all(getters);
        got.sort();
        assert_eq!(got, [0, 1, 2, 3]);
    });
}

#[test]
fn draining_gives_what_is_left_then_closed() {
    let queue = Queue::unbounded();
    queue.put(1).unwrap();
    queue.put(2).unwrap();
    assert!(queue.shutdown(Shutdown::Drain).is_empty());
    assert!(queue.is_closed());
    assert_eq!(queue.put(3), Err(PutError::Closed(3)));
    assert_eq!(queue.try_put(3), Err(PutError::Closed(3)));
    assert_eq!(queue.put_for(3, LONG), Err(PutError::Closed(3)));
    assert_eq!((queue.get(), queue.try_get()), (Ok(1), Ok(2)));
    assert_eq!(queue.get(), Err(GetError::Closed));
    assert_eq!(queue.try_get(), Err(GetError::Closed));
    assert_eq!(queue.get_for(LONG), Err(GetError::Closed));
    assert!(queue.shutdown(Shutdown::Drain).is_empty());
}

#[test]
fn an_immediate_shutdown_wakes_getters_putters_and_joiners() {
    within_limit(|| {
        let (full, empty) = (Queue::bounded(1), Queue::<u8>::bounded(1));
        full.put(1).unwrap();
        let sink = full.clone();
        let putter = spawn(move || sink.put(2)).unwrap();
        let joined = full.clone();
        let joiner = spawn(move || joined.join()).unwrap();
        let source = empty.clone();
        let getter = spawn(move || source.get()).unwrap();

        assert_eq!(full.shutdown(Shutdown::Immediate), [1]);
        empty.shutdown(Shutdown::Immediate);
        assert_eq!(join_all(vec![putter]), [Err(PutError::Closed(2))]);
        assert_eq!(join_all(vec![getter]), [Err(GetError::Closed)]);
        join_all(vec![joiner]);
    });
}

#[test]
fn join_waits_for_every_task() {
    within_limit(|| {
        let queue = Queue::unbounded();
        (0..3).for_each(|n| queue.put(n).unwrap());
        assert_eq!(queue.join_for(SHORT), Err(TimedOut));
        let source = queue.clone();
        let mut worker = spawn(move || {
            while source.try_get().is_ok() {
                source.task_done().unwrap();
            }
        })
        .unwrap();
        queue.join();
        assert_eq!(queue.unfinished(), 0);
        worker.join().unwrap();
        queue.join_for(Duration::ZERO).unwrap();
    });
}

#[test]
fn one_report_too_many_is_an_error() {
    let queue = Queue::unbounded();
    assert_eq!(queue.task_done(), Err(TooManyTasksDone));
    queue.put(()).unwrap();
    // Not taken yet, so it cannot be done.
    assert_eq!(queue.task_done(), Err(TooManyTasksDone));
    queue.get().unwrap();
    assert_eq!(queue.task_done(), Ok(()));
    assert_eq!(queue.task_done(), Err(TooManyTasksDone));
}

#[test]
fn join_can_be_repeated() {
    let queue = Queue::unbounded();
    for _ in 0..3 {
        queue.put(()).unwrap();
        assert!(queue.join_for(Duration::ZERO).is_err());
        queue.get().unwrap();
        queue.task_done().unwrap();
        queue.join();
    }
}

#[test]
fn the_queue_keeps_no_reference_to_an_item_taken() {
    for queue in [Queue::bounded(2), Queue::unbounded()] {
        let item = Arc::new(());
        queue.put(item.clone()).unwrap();
        drop(queue.get().unwrap());
        assert_eq!(Arc::strong_count(&item), 1);
    }
}

#[test]
fn items_left_behind_are_dropped_with_the_queue() {
    let item = Arc::new(());
    for queue in [Queue::bounded(1000), Queue::unbounded()] {
        (0..1000).for_each(|_| queue.put(item.clone()).unwrap());
        (0..300).for_each(|_| drop(queue.get().unwrap()));
        assert_eq!(Arc::strong_count(&item), 701);
        drop(queue);
        assert_eq!(Arc::strong_count(&item), 1);
    }
}

#[test]
fn an_item_may_use_the_queue_while_it_is_dropped() {
    struct Nested(Queue<Nested>, Arc<AtomicUsize>);
    impl Drop for Nested {
        fn drop(&mut self) {
            let _ = self.0.try_get();
            self.1.fetch_add(self.0.len() + 1, Ordering::Relaxed);
        }
    }
    within_limit(|| {
        let (queue, drops) = (Queue::unbounded(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            queue.put(Nested(queue.clone(), drops.clone())).unwrap();
        }
        drop(queue.shutdown(Shutdown::Immediate));
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}

/// A generator of pseudo-random numbers (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

const PUTTERS: u64 = 3;
const EACH: u64 = 100_000;

fn put_in_every_way(queue: &Queue<u64>, id: u64) -> Vec<u64> {
    let mut random = Random(id + 1);
    let mut refused = Vec::new();
    for n in 0..EACH {
        let mut item = id * EACH + n;
        loop {
            let outcome = match random.below(3) {
                0 => queue.try_put(item),
                1 => queue.put_for(item, Duration::from_micros(random.below(50))),
                _ => queue.put(item),
            };
            match outcome {
                Ok(()) => break,
                Err(PutError::Closed(item)) => {
                    refused.push(item);
                    break;
                }
                Err(error) => item = error.into_inner(),
            }
        }
    }
    refused
}

fn get_in_every_way(queue: &Queue<u64>, id: u64) -> Vec<u64> {
    let mut random = Random(id + 100);
    let mut got = Vec::new();
    loop {
        let outcome = match random.below(3) {
            0 => queue.try_get(),
            1 => queue.get_for(Duration::from_micros(random.below(50))),
            _ => queue.get(),
        };
        match outcome {
            Ok(item) => {
                got.push(item);
                queue.task_done().unwrap();
            }
            Err(GetError::Closed) => return got,
            Err(_) => {}
        }
    }
}

/// Puts, gets, time limits and a shutdown in the middle, all at random; then every item is counted.
fn stress(queue: Queue<u64>, shutdown: Shutdown, after: u64) {
    let putters: Vec<_> = (0..PUTTERS)
        .map(|id| (queue.clone(), id))
        .map(|(queue, id)| spawn(move || put_in_every_way(&queue, id)).unwrap())
        .collect();
    let getters: Vec<_> = (0..3)
        .map(|id| (queue.clone(), id))
        .map(|(queue, id)| spawn(move || get_in_every_way(&queue, id)).unwrap())
        .collect();
    let mut seen = Vec::new();
    // Ends sooner if the getters are fast enough to take everything.
    for item in (0..after).map_while(|_| queue.get_for(SHORT).ok()) {
        seen.push(item);
        queue.task_done().unwrap();
    }
    seen.extend(queue.shutdown(shutdown));
    join_all(putters)
        .into_iter()
        .for_each(|refused| seen.extend(refused));
    join_all(getters)
        .into_iter()
        .for_each(|got| seen.extend(got));
    queue.join_for(LONG).expect("every taken item is reported");
    seen.sort_unstable();
    assert!(
        seen.iter().copied().eq(0..PUTTERS * EACH),
        "{} items",
        seen.len()
    );
}

#[test]
fn a_million_items_are_all_accounted_for() {
    within_limit(|| {
        stress(Queue::bounded(1), Shutdown::Drain, 3_000);
        stress(Queue::bounded(7), Shutdown::Immediate, 10_000);
        stress(Queue::bounded(10_000), Shutdown::Drain, 10_000);
        stress(Queue::unbounded(), Shutdown::Immediate, 5_000);
    });
}

#[test]
fn a_batch_takes_what_is_there_and_makes_room() {
    within_limit(|| {
        let queue = Queue::bounded(4);
        let mut items = Vec::new();
        assert_eq!(queue.try_get_many(&mut items, 3), Err(GetError::Empty));
        assert_eq!(
            queue.get_many_for(&mut items, 3, SHORT),
            Err(GetError::TimedOut)
        );
        (0..4).for_each(|n| queue.put(n).unwrap());
        let putters: Vec<_> = (4..7)
            .map(|n| (queue.clone(), n))
            .map(|(queue, n)| spawn(move || queue.put(n).unwrap()).unwrap())
            .collect();
        assert_eq!(queue.get_many(&mut items, 3), Ok(3));
        join_all(putters);
        while items.len() < 7 {
            queue.get_many(&mut items, 100).unwrap();
        }
        assert_eq!(items[..4], [0, 1, 2, 3]);
        items.sort();
        assert_eq!(items, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(queue.try_get_many(&mut items, 0), Ok(0));
        queue.shutdown(Shutdown::Drain);
        assert_eq!(queue.get_many(&mut items, 1), Err(GetError::Closed));
    });
}

#[test]
fn a_task_guard_reports_even_after_a_panic() {
    within_limit(|| {
        let queue = Queue::unbounded();
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        let source = queue.clone();
        let mut worker = spawn(move || {
            let _task = source.get_task().unwrap();
            panic!("with a task");
        })
        .unwrap();
        assert!(worker.join().is_err());
        assert_eq!(queue.unfinished(), 1);
        assert_eq!(queue.get_task_for(LONG).unwrap().into_inner(), 2);
        queue.join();
    });
}
