//! Last-in first-out, by priority, simple: each in its own order, with the waiting of `Queue`.

use crate::common::{LONG, SHORT, within_limit};
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};
use threads::{
    GetError, LifoQueue, Lock, PriorityQueue, PutError, Shutdown, SimpleQueue, TimedOut, spawn,
};

#[test]
fn the_newest_comes_first() {
    let stack = LifoQueue::bounded(3);
    (1..=3).for_each(|n| stack.put(n).unwrap());
    assert_eq!(stack.try_put(4), Err(PutError::Full(4)));
    assert_eq!(stack.put_for(4, SHORT), Err(PutError::TimedOut(4)));
    assert_eq!(
        stack.put_until(4, Instant::now()),
        Err(PutError::TimedOut(4))
    );
    assert_eq!((stack.len(), stack.capacity()), (3, Some(3)));
    let mut items = vec![stack.get().unwrap()];
    assert_eq!(stack.get_many(&mut items, 9), Ok(2));
    assert_eq!(items, [3, 2, 1]);
    assert_eq!(stack.get_for(SHORT), Err(GetError::TimedOut));
    assert_eq!(stack.get_until(Instant::now()), Err(GetError::TimedOut));
}

#[test]
fn a_batch_is_stacked_as_there_is_room_and_a_shutdown_leaves_it_the_rest() {
    within_limit(|| {
        let stack = LifoQueue::bounded(2);
        let mut items = vec![1, 2, 3];
        assert_eq!(stack.try_put_many(&mut items), Err(PutError::Full(())));
        assert_eq!((stack.get(), stack.get()), (Ok(2), Ok(1)));
        items.extend([4, 5]);
        let sink = stack.clone();
        let mut putter = spawn(move || (sink.put_many(&mut items), items)).unwrap();
        while stack.len() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(stack.shutdown(Shutdown::Immediate), [4, 3]);
        assert_eq!(putter.join().unwrap(), (Err(PutError::Closed(())), vec![5]));
    });
}

#[test]
fn the_smallest_priority_comes_first_and_ties_keep_their_order() {
    /// An item without any order.
    #[derive(Debug, PartialEq)]
    struct Plain(&'static str);

    let queue = PriorityQueue::unbounded();
    for (priority, item) in [(2, "c"), (1, "a"), (3, "e"), (2, "d"), (1, "b")] {
        queue.put(priority, Plain(item)).unwrap();
    }
    assert_eq!(queue.get(), Ok((1, Plain("a"))));
    let mut rest = Vec::new();
    queue.get_many(&mut rest, 2).unwrap();
    assert_eq!(rest, [(1, Plain("b")), (2, Plain("c"))]);
    let dropped = queue.shutdown(Shutdown::Immediate);
    assert_eq!(dropped, [(2, Plain("d")), (3, Plain("e"))]);
    assert_eq!(queue.get(), Err(GetError::Closed));
    assert_eq!(
        queue.put(1, Plain("f")),
        Err(PutError::Closed((1, Plain("f"))))
    );
}

#[test]
fn a_bounded_priority_queue_waits_for_room() {
    within_limit(|| {
        let queue = PriorityQueue::bounded(1);
        queue.put(1, 'a').unwrap();
        assert_eq!(queue.try_put(0, 'b'), Err(PutError::Full((0, 'b'))));
        assert_eq!(
            queue.put_for(0, 'b', SHORT),
            Err(PutError::TimedOut((0, 'b')))
        );
        let sink = queue.clone();
        let mut putter = spawn(move || sink.put(0, 'b')).unwrap();
        assert_eq!(queue.get(), Ok((1, 'a')));
        putter.join().unwrap().unwrap();
        assert_eq!(queue.get_for(LONG), Ok((0, 'b')));
    });
}

#[test]
fn tasks_are_counted_and_waiters_woken_as_in_a_queue() {
    within_limit(|| {
        let stack = LifoQueue::unbounded();
        let getters: Vec<_> = (0..3)
            .map(|_| stack.clone())
            .map(|stack| spawn(move || stack.get_task().map(|task| *task)).unwrap())
            .collect();
        stack.put(1).unwrap();
        stack.put(2).unwrap();
        stack.join();
        stack.shutdown(Shutdown::Drain);
        let mut got: Vec<_> = getters.into_iter().map(|mut t| t.join().unwrap()).collect();
        got.sort_by_key(|item| item.unwrap_or(0));
        assert_eq!(got, [Err(GetError::Closed), Ok(1), Ok(2)]);
        assert!(stack.task_done().is_err());
        stack.join_for(Duration::ZERO).unwrap();

        let queue = PriorityQueue::unbounded();
        queue.put(1, ()).unwrap();
        assert_eq!(queue.join_for(SHORT), Err(TimedOut));
        queue.shutdown(Shutdown::Immediate);
        queue.join();
    });
}

/// A priority whose comparison does what the test says.
struct Tricky(u8, Arc<dyn Fn() + Send + Sync>);

impl Ord for Tricky {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.1)();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Tricky {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Tricky {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Tricky {}

#[test]
fn a_comparison_that_uses_its_own_queue_is_told() {
    within_limit(|| {
        let queue = PriorityQueue::<Tricky, ()>::unbounded();
        let seen = Arc::new(Lock::new(Vec::new()));
        let (inner, log) = (queue.clone(), seen.clone());
        let compare: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            log.lock().push(inner.try_get().err());
            let quiet = Tricky(0, Arc::new(|| ()));
            let refused = inner.try_put(quiet, ());
            assert!(matches!(refused, Err(PutError::Reentered(_))));
        });
        queue.put(Tricky(1, compare.clone()), ()).unwrap();
        queue.put(Tricky(2, compare), ()).unwrap();
        assert_eq!(queue.get().unwrap().0.0, 1);
        assert!(seen.lock().iter().all(|e| *e == Some(GetError::Reentered)));
        assert!(!seen.lock().is_empty());
    });
}

#[test]
fn a_comparison_that_panics_leaves_the_queue_usable() {
    within_limit(|| {
        let queue = PriorityQueue::unbounded();
        let bad = |n| Tricky(n, Arc::new(|| panic!("on purpose")));
        queue.put(bad(1), 'a').unwrap();
        let sink = queue.clone();
        let mut putter = spawn(move || sink.put(bad(2), 'b')).unwrap();
        assert!(putter.join().is_err());
        assert!(queue.get_for(LONG).is_ok());
        queue.shutdown(Shutdown::Immediate);
    });
}

#[test]
fn a_simple_queue_takes_puts_from_anywhere() {
    struct Nested(SimpleQueue<Option<Nested>>);
    impl Drop for Nested {
        fn drop(&mut self) {
            self.0.put(None);
        }
    }
    within_limit(|| {
        let queue = SimpleQueue::new();
        queue.put(Some(Nested(queue.clone())));
        drop(queue.try_get().unwrap());
        assert!(queue.get().is_none());
        assert!(queue.is_empty());

        let numbers = SimpleQueue::default();
        let source = numbers.clone();
        let mut getter = spawn(move || (0..1000).all(|n| source.get() == n)).unwrap();
        (0..1000).for_each(|n| numbers.put(n));
        assert!(getter.join().unwrap());
        assert_eq!(numbers.get_for(SHORT), Err(GetError::TimedOut));
        assert_eq!(numbers.get_until(Instant::now()), Err(GetError::TimedOut));
    });
}
