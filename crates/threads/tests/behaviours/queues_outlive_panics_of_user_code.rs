//! Orders and destructors are user code. They may panic, block, or use the queue that runs them.

use crate::common::{LONG, SHORT, within_limit};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use threads::{
    Event, GetError, LifoQueue, Lock, PriorityQueue, PutError, Queue, Shutdown, SimpleQueue, spawn,
    wait_any_for,
};

type Action = Arc<dyn Fn() + Send + Sync>;

/// A priority whose comparisons do what the test says first.
#[derive(Clone)]
struct Ranked(usize, Action);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.1)();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Ranked {}

/// Runs `f`; `None` if it panics.
fn contained<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// An action that panics at its `n`-th call, counted from 0, and at no other.
fn panics_at(n: usize) -> (Action, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let action = move || {
        if counted.fetch_add(1, SeqCst) == n {
            panic!("on purpose");
        }
    };
    (Arc::new(action), calls)
}

/// The items in a queue of priorities, as the test has to find them.
struct Model {
    queue: PriorityQueue<Ranked, usize>,
    inside: BTreeSet<usize>,
    taken: Vec<usize>,
}

impl Model {
    fn put(&mut self, n: usize, action: &Action) {
        let put = contained(|| self.queue.put(Ranked(n, action.clone()), n));
        if put.is_some() {
            self.inside.insert(n);
        }
        self.check();
    }

    fn get(&mut self) {
        if let Some(got) = contained(|| self.queue.try_get()) {
            self.take(got.unwrap().1);
        }
        self.check();
    }

    fn get_many(&mut self, max: usize) {
        let mut items = Vec::new();
        let _ = contained(|| self.queue.try_get_many(&mut items, max));
        items.into_iter().for_each(|(_, n)| self.take(n));
        self.check();
    }

    /// The item taken is the smallest.
    fn take(&mut self, n: usize) {
        assert_eq!(self.inside.pop_first(), Some(n));
        self.taken.push(n);
    }

    fn check(&self) {
        assert_eq!(self.queue.len(), self.inside.len());
        assert_eq!(
            self.queue.unfinished(),
            self.inside.len() + self.taken.len()
        );
    }

    fn shut_down(&mut self) {
        let dropped = contained(|| self.queue.shutdown(Shutdown::Immediate));
        assert!(self.queue.is_closed());
        // A panic leaves the items for another call.
        let dropped = dropped.unwrap_or_else(|| {
            self.check();
            self.queue.shutdown(Shutdown::Immediate)
        });
        let dropped: Vec<usize> = dropped.into_iter().map(|(_, n)| n).collect();
        assert!(dropped.iter().eq(&self.inside));
        for _ in &self.taken {
            self.queue.task_done().unwrap();
        }
        self.queue.join_for(LONG).unwrap();
        assert!(self.queue.task_done().is_err());
    }
}

#[test]
fn an_order_that_panics_at_any_call_costs_the_queue_nothing() {
    within_limit(|| {
        for n in 0.. {
            let (action, calls) = panics_at(n);
            let mut model = Model {
                queue: PriorityQueue::unbounded(),
                inside: BTreeSet::new(),
                taken: Vec::new(),
            };
            for item in [7, 3, 9, 1, 8, 2, 6, 0, 5, 4, 12, 11, 10] {
                model.put(item, &action);
            }
            model.get();
            model.get_many(4);
            model.put(0, &action);
            model.get_many(3);
            model.shut_down();
            if calls.load(SeqCst) <= n {
                assert!(n > 30, "the order was called");
                return;
            }
        }
    });
}

/// A batch that is cut off by a panic has made room for the putters that wait.
#[test]
fn a_putter_gets_the_room_that_a_panicking_batch_made() {
    within_limit(|| {
        let (action, calls) = panics_at(usize::MAX);
        let queue = PriorityQueue::bounded(8);
        (0..8).for_each(|n| queue.put(Ranked(n, action.clone()), n).unwrap());
        let before = calls.load(SeqCst);
        let mut all = Vec::new();
        queue.get_many(&mut all, 8).unwrap();
        let cost = calls.load(SeqCst) - before;

        // The same batch, with a panic in its middle.
        let (action, calls) = panics_at(before + cost / 2);
        let queue = PriorityQueue::bounded(8);
        (0..8).for_each(|n| queue.put(Ranked(n, action.clone()), n).unwrap());
        assert_eq!(calls.load(SeqCst), before);
        let sink = queue.clone();
        let quiet = Ranked(99, Arc::new(|| ()));
        let mut putter = spawn(move || sink.put(quiet, 99)).unwrap();
        let mut some = Vec::new();
        assert!(contained(|| queue.get_many(&mut some, 8)).is_none());
        assert!(!some.is_empty() && some.len() < 8);
        putter.join().unwrap().unwrap();
    });
}

/// Several rounds, since a putter may come before or after the shutdown.
#[test]
fn a_shutdown_whose_order_panics_still_wakes_every_waiter() {
    (0..20).for_each(|_| within_limit(shut_down_with_a_panic));
}

fn shut_down_with_a_panic() {
    let (action, _) = panics_at(3);
    let queue = PriorityQueue::bounded(3);
    (0..3).for_each(|n| _ = queue.put(Ranked(n, action.clone()), n));
    let quiet = Ranked(9, Arc::new(|| ()));
    let putters: Vec<_> = (0..2)
        .map(|n| {
            let (sink, priority) = (queue.clone(), quiet.clone());
            spawn(move || sink.put(priority, n)).unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_millis(1));
    let items = contained(|| queue.shutdown(Shutdown::Immediate)).unwrap_or_default();
    for mut putter in putters {
        assert!(matches!(putter.join().unwrap(), Err(PutError::Closed(_))));
    }
    let items = items.len() + queue.shutdown(Shutdown::Immediate).len();
    assert_eq!(items, 3);
    assert_eq!(queue.try_get().err(), Some(GetError::Closed));
}

/// While an order blocks, others wait no longer than they said.
#[test]
fn time_limits_hold_while_an_order_blocks() {
    within_limit(|| {
        let (entered, leave) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (inside, go_on) = (entered.clone(), leave.clone());
        let queue = PriorityQueue::bounded(9);
        let blocking: Action = Arc::new(move || {
            inside.set();
            go_on.wait();
        });
        queue.put(Ranked(1, blocking.clone()), 1).unwrap();
        let sink = queue.clone();
        let mut putter = spawn(move || sink.put(Ranked(2, blocking), 2)).unwrap();
        entered.wait();
        let quiet = || Ranked(3, Arc::new(|| ()));
        let mut items = Vec::new();
        assert_eq!(queue.get_for(SHORT).err(), Some(GetError::TimedOut));
        assert_eq!(
            queue.get_many_for(&mut items, 2, SHORT),
            Err(GetError::TimedOut)
        );
        assert_eq!(queue.get_task_for(SHORT).map(drop), Err(GetError::TimedOut));
        let late = queue.put_for(quiet(), 3, SHORT);
        assert!(matches!(late, Err(PutError::TimedOut((_, 3)))));
        assert_eq!(wait_any_for(&[&queue], SHORT), Ok(0));
        assert_eq!(queue.len(), 1);
        leave.set();
        putter.join().unwrap().unwrap();
        assert_eq!(queue.len(), 2);
    });
}

#[test]
fn an_order_may_call_every_method_of_its_own_queue() {
    within_limit(|| {
        let queue = PriorityQueue::<Ranked, usize>::unbounded();
        let quiet = || Ranked(0, Arc::new(|| ()));
        let seen = Arc::new(Lock::new(0));
        let (own, calls) = (queue.clone(), seen.clone());
        let action: Action = Arc::new(move || {
            *calls.lock() += 1;
            let mut items = Vec::new();
            let reentered = Some(GetError::Reentered);
            assert_eq!(own.get().err(), reentered);
            assert_eq!(own.try_get().err(), reentered);
            assert_eq!(own.get_for(LONG).err(), reentered);
            assert_eq!(own.get_many(&mut items, 1).err(), reentered);
            assert_eq!(own.get_many_for(&mut items, 1, LONG).err(), reentered);
            assert_eq!(own.get_task().err(), reentered);
            for refused in [
                own.put(quiet(), 0),
                own.try_put(quiet(), 0),
                own.put_for(quiet(), 0, LONG),
            ] {
                assert!(matches!(refused, Err(PutError::Reentered(_))));
            }
            assert_eq!(wait_any_for(&[&own], LONG), Ok(0));
            assert!(own.join_for(SHORT).is_err());
            assert!(!own.is_empty());
        });
        for n in 1..4 {
            queue.put(Ranked(n, action.clone()), n).unwrap();
        }
        assert_eq!(queue.get().unwrap().1, 1);
        assert!(*seen.lock() > 0);
        drop(action);
        queue.shutdown(Shutdown::Immediate);
    });
}

#[test]
fn an_order_may_shut_its_own_queue_down() {
    within_limit(|| {
        for how in [Shutdown::Drain, Shutdown::Immediate] {
            let queue = PriorityQueue::<Ranked, usize>::unbounded();
            let own = queue.clone();
            let closing: Action = Arc::new(move || assert!(own.shutdown(how).is_empty()));
            queue.put(Ranked(1, closing.clone()), 1).unwrap();
            let sleeper = PriorityQueue::clone(&queue);
            // The put whose comparison closes the queue was there before the end.
            queue.put(Ranked(2, closing), 2).unwrap();
            assert!(sleeper.is_closed());
            assert_eq!(queue.shutdown(Shutdown::Immediate).len(), 2);
        }
    });
}

/// An item that counts its drop and panics in it when the count says so.
struct Fragile(Arc<AtomicUsize>, usize);

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.0.fetch_add(1, SeqCst) == self.1 {
            panic!("on purpose");
        }
    }
}

/// The first-in first-out queues, the stack and the priorities, behind one face.
trait Face {
    fn put(&self, item: Fragile);
    fn get(&self) -> Fragile;
    fn end(&self) -> Vec<Fragile>;
}

impl Face for Queue<Fragile> {
    fn put(&self, item: Fragile) {
        self.try_put(item).unwrap();
    }
    fn get(&self) -> Fragile {
        self.try_get().unwrap()
    }
    fn end(&self) -> Vec<Fragile> {
        self.shutdown(Shutdown::Immediate)
    }
}

impl Face for LifoQueue<Fragile> {
    fn put(&self, item: Fragile) {
        self.try_put(item).unwrap();
    }
    fn get(&self) -> Fragile {
        self.try_get().unwrap()
    }
    fn end(&self) -> Vec<Fragile> {
        self.shutdown(Shutdown::Immediate)
    }
}

impl Face for PriorityQueue<u8, Fragile> {
    fn put(&self, item: Fragile) {
        self.try_put(0, item).unwrap();
    }
    fn get(&self) -> Fragile {
        self.try_get().unwrap().1
    }
    fn end(&self) -> Vec<Fragile> {
        let items = self.shutdown(Shutdown::Immediate).into_iter();
        items.map(|(_, item)| item).collect()
    }
}

impl Face for SimpleQueue<Fragile> {
    fn put(&self, item: Fragile) {
        SimpleQueue::put(self, item);
    }
    fn get(&self) -> Fragile {
        self.try_get().unwrap()
    }
    fn end(&self) -> Vec<Fragile> {
        Vec::new()
    }
}

#[test]
fn an_item_whose_drop_panics_is_dropped_once_and_so_is_every_other() {
    const ITEMS: usize = 300;
    let kinds: [fn() -> Box<dyn Face>; 5] = [
        || Box::new(Queue::unbounded()),
        || Box::new(Queue::bounded(ITEMS)),
        || Box::new(LifoQueue::unbounded()),
        || Box::new(PriorityQueue::unbounded()),
        || Box::new(SimpleQueue::new()),
    ];
    for kind in kinds {
        for n in (0..ITEMS).step_by(13) {
            for end in [false, true] {
                let drops = Arc::new(AtomicUsize::new(0));
                let queue = kind();
                (0..ITEMS).for_each(|_| queue.put(Fragile(drops.clone(), n)));
                for _ in 0..20 {
                    let _ = contained(|| drop(queue.get()));
                }
                if end {
                    let _ = contained(|| drop(queue.end()));
                }
                let _ = contained(|| drop(queue));
                assert_eq!(drops.load(SeqCst), ITEMS);
            }
        }
    }
}

/// A batch may take more than there is, and a queue may hold more than will ever come.
#[test]
fn the_largest_sizes_are_only_limits() {
    within_limit(|| {
        let queue = Queue::bounded(usize::MAX - 1);
        let stack = LifoQueue::bounded(usize::MAX);
        let huge = Queue::<[u64; 1 << 10]>::bounded(4096);
        let mut items = vec![1, 2, 3];
        queue.put_many(&mut items).unwrap();
        assert_eq!(queue.get_many(&mut items, usize::MAX), Ok(3));
        stack.put_many(&mut items).unwrap();
        assert_eq!(stack.get_many(&mut items, usize::MAX), Ok(3));
        assert_eq!(items, [3, 2, 1]);
        assert_eq!(huge.try_get().err(), Some(GetError::Empty));
        assert_eq!(queue.get_for(Duration::ZERO), Err(GetError::TimedOut));
    });
}
