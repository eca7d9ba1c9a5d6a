//! What holds for a channel holds for a queue: closing, trying, waiting for several, taking turns.
//!
//! Where a channel has no buffer, the queue has room for one item, the least it can have.

use crate::common::within_limit;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::yield_now;
use std::time::Duration;
use threads::{GetError, PutError, Queue, Shutdown, scope, wait_any, wait_any_for};

/// Every item until the queue is shut down and empty.
fn items<T>(queue: &Queue<T>) -> impl Iterator<Item = T> + '_ {
    std::iter::from_fn(|| queue.get().ok())
}

fn one_each<T, const N: usize>() -> [Queue<T>; N] {
    std::array::from_fn(|_| Queue::bounded(1))
}

/// Puts the item, or again later, without ever waiting inside of the queue.
fn put_patiently<T>(queue: &Queue<T>, mut item: T) {
    while let Err(error) = queue.try_put(item) {
        assert!(matches!(error, PutError::Full(_)));
        item = error.into_inner();
        yield_now();
    }
}

fn get_patiently<T>(queue: &Queue<T>) -> T {
    loop {
        match queue.try_get() {
            Ok(item) => return item,
            Err(error) => assert_eq!(error, GetError::Empty),
        }
        yield_now();
    }
}

#[test]
fn a_try_meets_whoever_waits_on_the_other_side() {
    fn meet<T: Clone + PartialEq + std::fmt::Debug + Send + Sync>(capacity: usize, item: T) {
        let queue = Queue::bounded(capacity);
        scope(|s| {
            let mut getter = s.spawn(|| queue.get()).unwrap();
            put_patiently(&queue, item.clone());
            assert_eq!(getter.join().unwrap(), Ok(item.clone()));
            let mut putter = s.spawn(|| queue.put(item.clone())).unwrap();
            assert_eq!(get_patiently(&queue), item);
            assert_eq!(putter.join().unwrap(), Ok(()));
            assert_eq!(queue.try_get(), Err(GetError::Empty));
        });
    }
    within_limit(|| {
        for capacity in [1, 2, usize::MAX >> 8] {
            meet(capacity, 123_i32);
            meet(capacity, 123_456_i64);
            meet(capacity, true);
            meet(capacity, "hello".to_owned());
            meet(capacity, ());
        }
    });
}

#[test]
fn every_capacity_keeps_the_rules() {
    within_limit(|| (1..100).for_each(a_capacity_keeps_the_rules));
}

fn a_capacity_keeps_the_rules(capacity: usize) {
    let queue = Queue::bounded(capacity);
    (0..capacity).for_each(|n| queue.put(n).unwrap());
    let has_put = AtomicBool::new(false);
    scope(|s| {
        s.spawn(|| {
            queue.put(capacity).unwrap();
            has_put.store(true, Ordering::Release);
        })
        .unwrap();
        assert_eq!(queue.try_put(0), Err(PutError::Full(0)));
        assert_eq!(queue.len(), capacity);
        // Only a get makes room, so the put cannot have returned.
        assert!(!has_put.load(Ordering::Acquire));
        assert_eq!(queue.get(), Ok(0));
    });
    assert_eq!((queue.len(), queue.capacity()), (capacity, Some(capacity)));
    queue.shutdown(Shutdown::Drain);
    assert!(items(&queue).eq(1..=capacity));

    let queue = Queue::bounded(capacity);
    scope(|s| {
        let putter = || (0..300).for_each(|n| queue.put(n).unwrap());
        s.spawn(putter).unwrap();
        (0..300).for_each(|n| assert_eq!(queue.get(), Ok(n)));
        let mut waiting = [(); 2].map(|()| s.spawn(|| queue.get()).unwrap());
        queue.shutdown(Shutdown::Drain);
        for getter in &mut waiting {
            assert_eq!(getter.join().unwrap(), Err(GetError::Closed));
        }
    });
}

#[test]
fn a_shut_down_queue_answers_every_question_at_once() {
    within_limit(|| {
        for last in [None, Some(1)] {
            let queue = Queue::bounded(2);
            last.into_iter().for_each(|n| queue.put(n).unwrap());
            queue.shutdown(Shutdown::Drain);
            assert_eq!(wait_any(&[&queue]), 0);
            assert_eq!(queue.try_get().ok(), last);
            for _ in 0..3 {
                assert_eq!(queue.get(), Err(GetError::Closed));
                assert_eq!(queue.try_get(), Err(GetError::Closed));
                assert_eq!(wait_any_for(&[&queue], Duration::ZERO), Ok(0));
                assert_eq!(queue.put(7), Err(PutError::Closed(7)));
                // Closing again is no error.
                assert!(queue.shutdown(Shutdown::Drain).is_empty());
            }
        }
    });
}

#[test]
fn an_item_is_not_lost_to_a_shutdown_at_the_same_moment() {
    within_limit(|| {
        for _ in 0..500 {
            let queue = Queue::bounded(1);
            queue.put(1).unwrap();
            scope(|s| {
                s.spawn(|| queue.shutdown(Shutdown::Drain)).unwrap();
                assert_eq!(queue.try_get(), Ok(1));
            });
        }
    });
}

#[test]
fn one_of_two_is_ready_at_every_moment_of_a_handover() {
    within_limit(|| {
        for round in 0..500 {
            let [first, second] = one_each();
            first.put(1).unwrap();
            scope(|s| {
                s.spawn(|| {
                    match round % 2 {
                        0 => second.put(2).unwrap(),
                        _ => drop(second.shutdown(Shutdown::Drain)),
                    }
                    first.try_get().unwrap();
                })
                .unwrap();
                assert!(wait_any_for(&[&first, &second], Duration::ZERO).is_ok());
            });
        }
    });
}

#[test]
fn a_wait_for_several_takes_no_wake_up_from_a_getter() {
    within_limit(|| {
        let [a, b, told] = one_each::<u8, 3>();
        scope(|s| {
            s.spawn(|| a.get().unwrap()).unwrap();
            s.spawn(|| {
                // The same queue twice is no more than once.
                if wait_any(&[&a, &b, &a]) == 1 {
                    told.put(b.get().unwrap()).unwrap();
                }
                a.get().unwrap();
            })
            .unwrap();
            b.put(1).unwrap();
            assert_eq!(told.get(), Ok(1));
            a.put(2).unwrap();
            a.put(3).unwrap();
        });
        assert!(a.is_empty() && b.is_empty());
    });
}

#[test]
fn an_idle_queue_does_not_disturb_those_waited_for_beside_it() {
    within_limit(|| {
        let (busy, idle) = (Queue::bounded(4), Queue::<u8>::unbounded());
        scope(|s| {
            s.spawn(|| (0..10_000).for_each(|n| busy.put(n).unwrap()))
                .unwrap();
            for n in 0..10_000 {
                assert_eq!(wait_any(&[&idle, &busy]), 1);
                assert_eq!(busy.try_get(), Ok(n));
            }
        });
        idle.put(1).unwrap();
        assert_eq!(wait_any(&[&idle, &busy]), 0);
    });
}

#[test]
fn threads_that_put_and_get_on_one_queue_do_not_stop_each_other() {
    within_limit(|| {
        for capacity in [1, 10] {
            let queue = Queue::bounded(capacity);
            scope(|s| {
                for first in [true, false] {
                    let queue = &queue;
                    s.spawn(move || {
                        for n in 0..5_000 {
                            let done = (first || n % 2 == 0) && queue.try_put(n).is_ok();
                            if !done && queue.try_get().is_err() {
                                let _ = queue.try_put(n);
                            }
                        }
                    })
                    .unwrap();
                }
            });
            assert!(queue.len() <= capacity);
        }
    });
}

/// Takes `each` items from every queue, whichever is ready.
fn take_from_any(queues: &[Queue<usize>], each: usize) {
    let mut left = vec![each; queues.len()];
    while left.iter().any(|n| *n > 0) {
        let open: Vec<_> = (0..queues.len()).filter(|i| left[*i] > 0).collect();
        let things: Vec<&dyn threads::Waitable> = open.iter().map(|i| &queues[*i] as _).collect();
        let index = open[wait_any(&things)];
        left[index] -= usize::from(queues[index].try_get().is_ok());
    }
}

/// Puts `each` items into every queue, whichever has room.
fn put_into_any(queues: &[Queue<usize>], each: usize) {
    let mut left = vec![each; queues.len()];
    while left.iter().any(|n| *n > 0) {
        for (queue, left) in queues.iter().zip(&mut left).filter(|(_, left)| **left > 0) {
            *left -= usize::from(queue.try_put(*left).is_ok());
        }
        yield_now();
    }
}

#[test]
fn direct_and_choosing_threads_share_several_queues() {
    within_limit(|| {
        const EACH: usize = 2_000;
        let queues = [1, 1, 2, 3].map(Queue::bounded);
        scope(|s| {
            for queue in &queues {
                s.spawn(move || (0..EACH).for_each(|n| queue.put(n).unwrap()))
                    .unwrap();
                s.spawn(move || (0..EACH).for_each(|_| _ = queue.get().unwrap()))
                    .unwrap();
            }
            s.spawn(|| take_from_any(&queues, EACH)).unwrap();
            s.spawn(|| put_into_any(&queues, EACH)).unwrap();
        });
        assert!(queues.iter().all(Queue::is_empty));
    });
}

#[test]
fn every_producer_has_its_turn() {
    within_limit(|| {
        let queue = Queue::bounded(1);
        scope(|s| {
            for id in 0..8 {
                let queue = &queue;
                s.spawn(move || while queue.put(id).is_ok() {}).unwrap();
            }
            let mut rounds = [0; 8];
            // Hangs if one of them is passed over for ever.
            while rounds.iter().any(|n| *n < 20) {
                rounds[queue.get().unwrap()] += 1;
            }
            queue.shutdown(Shutdown::Immediate);
        });
    });
}

#[test]
fn items_may_have_no_size_or_any_type() {
    let empty = Queue::unbounded();
    (0..100).for_each(|_| empty.put([0_u8; 0]).unwrap());
    empty.shutdown(Shutdown::Drain);
    assert_eq!(items(&empty).count(), 100);

    let any: Queue<Box<dyn Any + Send>> = Queue::bounded(2);
    any.put(Box::new(7_u8)).unwrap();
    any.put(Box::new(Arc::new("text"))).unwrap();
    assert!(any.try_put(Box::new(())).is_err());
    assert_eq!(any.get().unwrap().downcast_ref(), Some(&7_u8));
    assert!(any.get().unwrap().is::<Arc<&str>>());
}
