//! The scheduler: turns, priorities, suspending and waking, ends of every kind; and `interleave!`.

use coroutines::{Boxed, Co, CoroutineState::*, Scheduler, generator, interleave};
use std::pin::pin;

fn count(n: u32) -> Boxed<'static, u32> {
    generator(async move |mut co: Co<'_, u32>| co.yield_all(0..n).await).boxed()
}

/// The slots of the next `n` steps that yield.
fn order(
    scheduler: &mut Scheduler<Boxed<'static, u32>>,
    names: &[coroutines::Id],
    n: usize,
) -> Vec<usize> {
    let step = || {
        scheduler.step().map(|(id, _)| {
            names
                .iter()
                .position(|name| *name == id)
                .expect("one of ours")
        })
    };
    std::iter::from_fn(step).take(n).collect()
}

#[test]
fn turns_go_round() {
    let mut scheduler = Scheduler::new();
    let names: Vec<_> = (0..3).map(|_| scheduler.spawn(count(9))).collect();
    assert_eq!(order(&mut scheduler, &names, 7), [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn a_higher_priority_goes_first_and_a_lower_one_waits() {
    let mut scheduler = Scheduler::new();
    let names = [
        scheduler.spawn_at(-1, count(1)),
        scheduler.spawn(count(1)),
        scheduler.spawn_at(5, count(1)),
    ];
    // Each takes two steps: a value and its end.
    assert_eq!(order(&mut scheduler, &names, 9), [2, 2, 1, 1, 0, 0]);
    assert!(scheduler.is_empty());
}

#[test]
fn suspended_ones_are_passed_over_until_they_are_woken() {
    let mut scheduler = Scheduler::new();
    let names: Vec<_> = (0..3).map(|_| scheduler.spawn(count(9))).collect();
    assert!(scheduler.suspend(names[1]));
    assert!(!scheduler.suspend(names[1]));
    assert_eq!(order(&mut scheduler, &names, 3), [0, 2, 0]);
    assert!(scheduler.wake(names[1]));
    assert!(!scheduler.wake(names[1]));
    // It goes in after the ones that are ready: 2 is next, then 0.
    assert_eq!(order(&mut scheduler, &names, 4), [2, 0, 1, 2]);
    for name in &names {
        assert!(scheduler.suspend(*name));
    }
    assert_eq!(scheduler.step(), None);
    assert_eq!((scheduler.len(), scheduler.is_ready()), (3, false));
}

#[test]
fn ids_of_ended_ones_name_nothing() {
    let mut scheduler = Scheduler::new();
    let old = scheduler.spawn(count(0));
    assert_eq!(scheduler.step(), Some((old, Complete(()))));
    let new = scheduler.spawn(count(1));
    assert_ne!(old, new);
    assert!(!scheduler.suspend(old) && !scheduler.wake(old) && !scheduler.set_priority(old, 1));
    assert!(scheduler.remove(old).is_none());
    assert_eq!(scheduler.step(), Some((new, Yielded(0))));
}

#[test]
fn one_can_be_taken_out_and_resumed_by_hand() {
    let mut scheduler = Scheduler::new();
    let (a, b) = (scheduler.spawn(count(3)), scheduler.spawn(count(3)));
    assert_eq!(scheduler.step(), Some((a, Yielded(0))));
    let out = scheduler.remove(a).expect("it has not ended");
    assert_eq!(out.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(scheduler.step(), Some((b, Yielded(0))));
    assert_eq!(scheduler.len(), 1);
}

#[test]
fn a_priority_can_change_while_ready_or_suspended() {
    let mut scheduler = Scheduler::new();
    let names: Vec<_> = (0..3).map(|_| scheduler.spawn(count(9))).collect();
    assert!(scheduler.set_priority(names[2], 1));
    assert_eq!(order(&mut scheduler, &names, 2), [2, 2]);
    assert!(scheduler.suspend(names[2]));
    assert!(scheduler.set_priority(names[2], 0));
    assert!(scheduler.wake(names[2]));
    assert_eq!(order(&mut scheduler, &names, 4), [0, 1, 2, 0]);
}

#[test]
fn a_panic_removes_the_one_that_panicked() {
    let mut scheduler = Scheduler::new();
    let bad = scheduler.spawn(generator(async |_: Co<'_, u32>| panic!("the body's own")).boxed());
    let good = scheduler.spawn(count(1));
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scheduler.step()));
    assert!(end.is_err());
    assert!(!scheduler.wake(bad));
    assert_eq!(scheduler.step(), Some((good, Yielded(0))));
}

#[test]
fn one_that_had_ended_before_it_came_is_skipped() {
    let mut ended = count(0);
    assert_eq!(ended.next(), None);
    let mut scheduler = Scheduler::new();
    scheduler.spawn(ended);
    let live = scheduler.spawn(count(1));
    assert_eq!(scheduler.step(), Some((live, Yielded(0))));
    assert_eq!(scheduler.len(), 1);
}

#[test]
fn interleave_takes_one_of_each_until_all_have_ended() {
    let (a, b) = (
        pin!(generator(async |mut co: Co<'_, u32>| co
            .yield_all([1, 2, 3])
            .await)),
        [10],
    );
    let mut all = interleave!(a, b, 100..=101);
    assert_eq!(all.size_hint(), (3, None));
    assert_eq!(all.next(), Some(1));
    assert_eq!(all.folded(), [10, 100, 2, 101, 3]);
}

trait Folded: Iterator + Sized {
    /// By way of `fold`, which goes its own way through the lanes.
    fn folded(self) -> Vec<Self::Item> {
        self.fold(Vec::new(), |mut seen, item| {
            seen.push(item);
            seen
        })
    }
}

impl<I: Iterator> Folded for I {}

#[test]
fn interleave_by_next_and_by_fold_agree() {
    for begun in 0..9 {
        let lanes = || interleave!(0..2, 10..15, 20..20, 30..33);
        let (mut by_next, mut by_fold) = (lanes(), lanes());
        for _ in 0..begun {
            assert_eq!(by_next.next(), by_fold.next());
        }
        let rest: Vec<_> = std::iter::from_fn(|| by_next.next()).collect();
        assert_eq!(by_fold.folded(), rest);
    }
}
