//! Conditions, events and barriers wake whom they should, also when a waiter or a waker is killed.

use std::thread;
use std::time::{Duration, Instant};

use procs::sync::{Barrier, Condition, Event, Lock, RLock};
use procs::{BarrierError, ConditionError, CreateError, EventError, Process, SharedValue};

use crate::common::{LIMIT, eventually};

/// Long enough to see that nothing comes, and no more.
const SHORT: Duration = Duration::from_millis(3);

/// How many wait, and how many have gone on, both under the lock.
type Meeting = (Lock, Condition, SharedValue<u32>, SharedValue<u32>);

fn meeting() -> Meeting {
    (
        Lock::new().unwrap(),
        Condition::new().unwrap(),
        SharedValue::new(0).unwrap(),
        SharedValue::new(0).unwrap(),
    )
}

#[procs::task]
fn wait_once(meeting: Meeting) {
    let (lock, condition, waiting, woken) = meeting;
    let mut guard = lock.lock().unwrap();
    waiting.update(|n| n + 1);
    condition.wait(&mut guard).unwrap();
    woken.update(|n| n + 1);
}

/// Starts so many, and waits until they wait.
fn waiters(meeting: &Meeting, count: u32) -> Vec<Process<()>> {
    let before = meeting.2.get();
    let start = |_| procs::spawn(wait_once, meeting.clone()).unwrap();
    let processes = (0..count).map(start).collect();
    eventually("all wait", || {
        // They count with the lock, and give it up by waiting.
        let _guard = meeting.0.lock_for(LIMIT).unwrap();
        meeting.2.get() == before + count
    });
    processes
}

#[test]
fn a_condition_wakes_exactly_so_many() {
    let meeting = meeting();
    let (lock, condition, _, woken) = &meeting;
    let mut processes = waiters(&meeting, 4);
    assert_eq!(condition.notify(0), 0);
    for expected in [1, 3] {
        let count = expected - woken.get();
        assert_eq!(condition.notify(count as usize), count as usize);
        eventually("they go on", || woken.get() == expected);
        let mut guard = lock.lock_for(LIMIT).unwrap();
        assert_eq!(
            condition.wait_for(&mut guard, SHORT),
            Err(ConditionError::TimedOut)
        );
        assert_eq!(woken.get(), expected);
    }
    assert_eq!(condition.notify_all(), 1);
    for process in &mut processes {
        process.join_for(LIMIT).unwrap();
    }
    assert_eq!(condition.notify_all(), 0);
}

#[test]
fn a_killed_waiter_takes_no_notification_with_it() {
    let meeting = meeting();
    let (_, condition, _, woken) = &meeting;
    let mut first = waiters(&meeting, 1);
    let mut rest = waiters(&meeting, 2);
    first[0].kill().unwrap();
    first[0].join_for(LIMIT).unwrap_err();
    assert_eq!(condition.notify(1), 1);
    eventually("the second one goes on", || woken.get() == 1);
    assert_eq!(condition.notify(1), 1);
    for process in &mut rest {
        process.join_for(LIMIT).unwrap();
    }
}

#[test]
fn a_waiter_killed_after_its_notification_hands_it_on() {
    let meeting = meeting();
    let (lock, condition, _, woken) = &meeting;
    let mut first = waiters(&meeting, 1);
    let mut second = waiters(&meeting, 1);
    // With the lock held the first one is called, but cannot go on.
    let guard = lock.lock().unwrap();
    assert_eq!(condition.notify(1), 1);
    first[0].kill().unwrap();
    first[0].join_for(LIMIT).unwrap_err();
    drop(guard);
    second[0].join_for(LIMIT).unwrap();
    assert_eq!(woken.get(), 1);
}

#[procs::task]
fn die_with_the_lock(meeting: Meeting) {
    let (lock, condition, ..) = meeting;
    let _guard = lock.lock().unwrap();
    condition.notify_all();
    std::process::abort();
}

#[test]
fn a_waiter_learns_that_somebody_died_with_the_lock() {
    let meeting = meeting();
    let (lock, condition, ..) = &meeting;
    let mut guard = lock.lock().unwrap();
    let mut process = procs::spawn(die_with_the_lock, meeting.clone()).unwrap();
    assert_eq!(
        condition.wait_for(&mut guard, LIMIT),
        Err(ConditionError::OwnerDied)
    );
    assert!(guard.is_inconsistent());
    guard.mark_consistent();
    drop(guard);
    drop(lock.lock().unwrap());
    process.join_for(LIMIT).unwrap_err();
}

#[procs::task]
fn raise(lock: RLock, condition: Condition, number: SharedValue<u32>) {
    for _ in 0..3 {
        let _guard = lock.lock().unwrap();
        number.update(|n| n + 1);
        condition.notify(1);
    }
}

#[test]
fn a_condition_waits_for_a_predicate_and_gives_a_recursive_lock_up() {
    let (lock, condition) = (RLock::new().unwrap(), Condition::new().unwrap());
    let number = SharedValue::new(0).unwrap();
    let _outer = lock.lock().unwrap();
    let mut guard = lock.lock().unwrap();
    assert_eq!(
        condition.wait_while_for(&mut guard, SHORT, || number.get() < 3),
        Err(ConditionError::TimedOut)
    );
    assert_eq!(
        condition.wait_until(&mut guard, Instant::now() + SHORT),
        Err(ConditionError::TimedOut)
    );
    let arguments = (lock.clone(), condition.clone(), number.clone());
    let mut process = procs::spawn(raise, arguments).unwrap();
    condition
        .wait_while_for(&mut guard, LIMIT, || number.get() < 3)
        .unwrap();
    assert!(lock.is_owned());
    drop(guard);
    assert!(lock.is_owned());
    process.join_for(LIMIT).unwrap();
}

#[procs::task]
fn wait_and_notify_on(meeting: Meeting) {
    let (lock, condition, waiting, woken) = meeting;
    loop {
        let mut guard = lock.recover().unwrap();
        guard.mark_consistent();
        waiting.update(|n| n + 1);
        match condition.wait(&mut guard) {
            Ok(()) => {}
            Err(ConditionError::OwnerDied) => guard.mark_consistent(),
            Err(error) => panic!("{error}"),
        }
        woken.update(|n| n + 1);
        condition.notify(1);
    }
}

/// One notification goes round, and whoever has it may be killed at any moment.
#[test]
fn a_notification_goes_round_among_the_living() {
    let meeting = meeting();
    let start = || procs::spawn(wait_and_notify_on, meeting.clone()).unwrap();
    let mut crew = [start(), start(), start()];
    for round in 0..60_u64 {
        let before = meeting.3.get();
        eventually("it goes round", || {
            // One who is killed between being woken and passing it on takes it along, rightly: that one had it.
            meeting.1.notify(1);
            meeting.3.get() > before
        });
        thread::sleep(Duration::from_micros(round * 7919 % 509));
        let victim = &mut crew[round as usize % 3];
        victim.kill().unwrap();
        let _ = std::mem::replace(victim, start()).join_for(LIMIT);
    }
    for process in &crew {
        assert!(process.is_alive());
    }
}

#[procs::task]
fn wait_for_event(event: Event, passed: SharedValue<u32>) {
    event.wait().unwrap();
    passed.update(|n| n + 1);
}

#[test]
fn an_event_lets_all_pass_until_it_is_cleared() {
    let (event, passed) = (Event::new().unwrap(), SharedValue::new(0).unwrap());
    assert_eq!(event.wait_for(SHORT), Err(EventError::TimedOut));
    assert_eq!(
        event.wait_until(Instant::now() + SHORT),
        Err(EventError::TimedOut)
    );
    let start = |_| procs::spawn(wait_for_event, (event.clone(), passed.clone())).unwrap();
    let mut processes: Vec<_> = (0..3).map(start).collect();
    processes[0].kill().unwrap();
    event.set();
    event.set();
    for process in &mut processes[1..] {
        process.join_for(LIMIT).unwrap();
    }
    event.wait().unwrap();
    event.clear();
    assert!(!event.is_set());
    assert_eq!(event.wait_for(SHORT), Err(EventError::TimedOut));
}

#[test]
fn an_event_that_is_cleared_at_once_has_woken_those_who_waited() {
    let event = Event::new().unwrap();
    for _ in 0..200 {
        let waiting = Event::new().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                waiting.set();
                event.wait_for(LIMIT)
            });
            waiting.wait().unwrap();
            while !waiter.is_finished() {
                event.set();
                event.clear();
                thread::yield_now();
            }
            assert_eq!(waiter.join().unwrap(), Ok(()));
        });
    }
}

#[procs::task]
fn meet(barrier: Barrier, times: usize) -> usize {
    (0..times)
        .map(|_| usize::from(barrier.wait().unwrap() == 0))
        .sum()
}

#[test]
fn a_barrier_lets_all_pass_together_again_and_again() {
    let barrier = Barrier::new(3).unwrap();
    let start = |_| procs::spawn(meet, (barrier.clone(), 200)).unwrap();
    let processes: Vec<_> = (0..3).map(start).collect();
    let firsts: usize = processes
        .into_iter()
        .map(|mut process| process.join_for(LIMIT).unwrap())
        .sum();
    assert_eq!((firsts, barrier.waiting()), (200, 0));
}

#[procs::task]
fn meet_once(barrier: Barrier) -> bool {
    barrier.wait().is_ok()
}

/// One more, who waits at the barrier.
fn at_barrier(barrier: &Barrier, waiting: usize) -> Process<bool> {
    let process = procs::spawn(meet_once, barrier.clone()).unwrap();
    eventually("it waits", || barrier.waiting() == waiting);
    process
}

#[test]
fn a_late_or_killed_or_aborting_party_breaks_the_barrier() {
    let barrier = Barrier::new(3).unwrap();
    let mut other = at_barrier(&barrier, 1);
    assert_eq!(barrier.wait_for(SHORT), Err(BarrierError::TimedOut));
    assert!(!other.join_for(LIMIT).unwrap());
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait(), Err(BarrierError::Broken));

    barrier.reset();
    let mut other = at_barrier(&barrier, 1);
    let killed = at_barrier(&barrier, 2);
    killed.kill().unwrap();
    assert!(!other.join_for(LIMIT).unwrap());

    barrier.reset();
    let mut other = at_barrier(&barrier, 1);
    barrier.abort();
    assert!(!other.join_for(LIMIT).unwrap());
    assert_eq!(
        barrier.wait_until(Instant::now() + LIMIT),
        Err(BarrierError::Broken)
    );

    barrier.reset();
    let mut other = at_barrier(&barrier, 1);
    barrier.reset();
    assert!(!other.join_for(LIMIT).unwrap());
    assert!(!barrier.is_broken());
    let mut others = [at_barrier(&barrier, 1), at_barrier(&barrier, 2)];
    assert_eq!(barrier.wait_for(LIMIT), Ok(2));
    for process in &mut others {
        assert!(process.join_for(LIMIT).unwrap());
    }
    assert_eq!(barrier.parties(), 3);
}

#[test]
fn a_number_of_parties_out_of_range_is_an_error() {
    for parties in [0, 4097, usize::MAX] {
        let error = Barrier::new(parties).unwrap_err();
        assert!(
            matches!(error, CreateError::OutOfRange { given, min: 1, max: 4096, .. } if given == parties),
            "{error:?}"
        );
    }
    assert_eq!(Barrier::new(4096).unwrap().parties(), 4096);
    assert_eq!(Barrier::new(1).unwrap().wait(), Ok(0));
}
