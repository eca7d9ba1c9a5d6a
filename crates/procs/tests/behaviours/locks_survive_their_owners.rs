//! A lock or a permit whose owner is killed goes to the next one, who learns of it.

use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use procs::sync::{BoundedSemaphore, Event, Lock, Permit, RLock, Semaphore};
use procs::{LockError, OverRelease, SharedArray, SharedValue, channel};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::{LIMIT, signal, stop};

/// Long enough to find something locked, and no more.
const SHORT: Duration = Duration::from_millis(3);

#[procs::task]
fn hold_lock(lock: Lock, held: Event) {
    let _guard = lock.lock().or_else(LockError::recover).unwrap();
    held.set();
    loop {
        thread::sleep(LIMIT);
    }
}

#[test]
fn a_killed_owner_hands_its_lock_over() {
    let (lock, held) = (Lock::new().unwrap(), Event::new().unwrap());
    let owner = procs::spawn(hold_lock, (lock.clone(), held.clone())).unwrap();
    held.wait_for(LIMIT).unwrap();
    assert!(matches!(lock.try_lock(), Err(LockError::TimedOut)));
    assert!(matches!(lock.lock_for(SHORT), Err(LockError::TimedOut)));
    owner.kill();
    let Err(LockError::OwnerDied(guard)) = lock.lock_for(LIMIT) else {
        panic!("the owner was killed");
    };
    assert!(matches!(lock.try_lock(), Err(LockError::TimedOut)));
    assert!(matches!(lock.lock_for(LIMIT), Err(LockError::Deadlock)));
    drop(guard);
    // Nobody has looked after it, so the next one hears of it too; then it is in order.
    let guard = lock.lock().unwrap_err().recover().unwrap();
    drop(guard);
    drop(lock.lock().unwrap());
    drop(lock.lock_until(Instant::now() + LIMIT).unwrap());
}

#[test]
fn whoever_waits_when_the_owner_is_killed_gets_the_lock() {
    let (lock, held) = (Lock::new().unwrap(), Event::new().unwrap());
    let owner = procs::spawn(hold_lock, (lock.clone(), held.clone())).unwrap();
    held.wait_for(LIMIT).unwrap();
    held.clear();
    let next = procs::spawn(hold_lock, (lock.clone(), held.clone())).unwrap();
    assert!(held.wait_for(Duration::from_millis(20)).is_err());
    owner.kill();
    held.wait_for(LIMIT).unwrap();
    next.kill();
    assert!(matches!(lock.lock(), Err(LockError::OwnerDied(_))));
}

#[procs::task]
fn count_under(lock: Lock, pair: SharedArray<u64>) {
    loop {
        let guard = match lock.lock() {
            Ok(guard) => guard,
            Err(LockError::OwnerDied(guard)) => {
                // The first number is the truth.
                pair.set(1, pair.get(0));
                guard.recover();
                guard
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(pair.get(0), pair.get(1));
        pair.set(0, pair.get(0) + 1);
        pair.set(1, pair.get(1) + 1);
        drop(guard);
    }
}

#[test]
fn no_kill_lets_two_in_or_goes_unnoticed() {
    let lock = Lock::new().unwrap();
    let pair = SharedArray::<u64>::new(2).unwrap();
    let start = || procs::spawn(count_under, (lock.clone(), pair.clone())).unwrap();
    let mut crew = [start(), start(), start()];
    for round in 0_u64..150 {
        thread::sleep(Duration::from_micros(round * 7919 % 1009));
        let victim = &mut crew[round as usize % 3];
        victim.kill();
        let error = mem::replace(victim, start()).join_for(LIMIT).unwrap_err();
        assert!(
            matches!(
                error,
                procs::ProcessError::Died {
                    signal: Some(9),
                    ..
                }
            ),
            "{error}"
        );
    }
    crew.iter().for_each(procs::Process::kill);
    let guard = lock.lock_for(LIMIT).or_else(LockError::recover).unwrap();
    assert!(pair.get(0) - pair.get(1) <= 1);
    assert!(pair.get(0) > 150, "only {} times", pair.get(0));
    drop(guard);
}

#[test]
fn a_forgotten_guard_is_no_danger() {
    let other = Lock::new().unwrap();
    let lock = Lock::new().unwrap();
    let again = lock.clone();
    thread::spawn(move || {
        mem::forget(lock.lock().unwrap());
        drop(lock);
        for _ in 0..10 {
            drop(other.lock().unwrap());
        }
    })
    .join()
    .unwrap();
    // Its thread has ended with it.
    assert!(matches!(again.lock(), Err(LockError::OwnerDied(_))));
}

#[test]
fn a_panic_unlocks() {
    let lock = Lock::new().unwrap();
    let clone = lock.clone();
    let ended = thread::spawn(move || {
        let _guard = clone.lock().unwrap();
        panic!("on purpose");
    })
    .join();
    assert!(ended.is_err());
    drop(lock.try_lock().unwrap());
}

#[procs::task]
fn lock_twice(lock: RLock, held: Event, go_on: Event) -> bool {
    let outer = lock.lock().unwrap();
    let inner = lock.lock().unwrap();
    drop(outer);
    held.set();
    go_on.wait();
    drop(inner);
    lock.is_owned()
}

#[test]
fn a_recursive_lock_counts() {
    let lock = RLock::new().unwrap();
    let (held, go_on) = (Event::new().unwrap(), Event::new().unwrap());
    let arguments = (lock.clone(), held.clone(), go_on.clone());
    let mut owner = procs::spawn(lock_twice, arguments.clone()).unwrap();
    held.wait_for(LIMIT).unwrap();
    assert!(!lock.is_owned());
    assert!(matches!(lock.try_lock(), Err(LockError::TimedOut)));
    assert!(matches!(lock.lock_for(SHORT), Err(LockError::TimedOut)));
    go_on.set();
    assert!(!owner.join_for(LIMIT).unwrap());
    drop(lock.lock_for(LIMIT).unwrap());

    held.clear();
    go_on.clear();
    let killed = procs::spawn(lock_twice, arguments).unwrap();
    held.wait_for(LIMIT).unwrap();
    killed.kill();
    let guard = lock.lock_for(LIMIT).unwrap_err().recover().unwrap();
    let inner = lock.lock().unwrap();
    drop((guard, inner));
    assert!(!lock.is_owned());
}

/// The same lock under another address: what one has locked, the other may unlock.
#[test]
fn a_recursive_lock_is_one_in_all_its_copies() {
    let lock = RLock::new().unwrap();
    let (here, there) = channel().unwrap();
    here.send(&lock).unwrap();
    let copy: RLock = there.receive().unwrap();
    let one = lock.lock().unwrap();
    let two = copy.lock().unwrap();
    drop(one);
    drop(lock);
    assert!(copy.is_owned());
    let other = Lock::new().unwrap();
    drop(other.lock().unwrap());
    drop(two);
    drop(other.lock().unwrap());
    assert!(!copy.is_owned());
    let elsewhere = thread::spawn(move || copy.try_lock().is_ok());
    assert!(elsewhere.join().unwrap());
}

#[procs::task]
fn hold_permits(semaphore: Semaphore, count: usize, held: Event) {
    let permits: Vec<_> = (0..count).map(|_| semaphore.acquire().unwrap()).collect();
    held.set();
    loop {
        thread::sleep(LIMIT);
        assert!(!permits.is_empty());
    }
}

#[test]
fn permits_of_the_dead_come_back() {
    let (semaphore, held) = (Semaphore::new(3).unwrap(), Event::new().unwrap());
    let owner = procs::spawn(hold_permits, (semaphore.clone(), 2, held.clone())).unwrap();
    held.wait_for(LIMIT).unwrap();
    assert_eq!(semaphore.available(), 1);
    let mine = semaphore.acquire().unwrap();
    assert!(matches!(semaphore.try_acquire(), Err(LockError::TimedOut)));
    assert!(matches!(
        semaphore.acquire_for(SHORT),
        Err(LockError::TimedOut)
    ));
    owner.kill();
    let Err(LockError::OwnerDied(permit)) = semaphore.acquire_for(LIMIT) else {
        panic!("the owner was killed");
    };
    permit.recover();
    let doubtful = semaphore.acquire_for(LIMIT).unwrap_err();
    assert!(matches!(semaphore.try_acquire(), Err(LockError::TimedOut)));
    drop((mine, permit));
    assert_eq!(semaphore.available(), 2);
    drop(doubtful);
    // The permit that was in doubt still is, for whoever gets it.
    let permits: Vec<_> = (0..3).map(|_| semaphore.try_acquire()).collect();
    assert_eq!(permits.iter().filter(|permit| permit.is_err()).count(), 1);
    let recovered: Vec<Permit> = permits
        .into_iter()
        .map(|permit| permit.or_else(LockError::recover).unwrap())
        .collect();
    drop(recovered);
    assert_eq!(semaphore.available(), 3);
}

#[procs::task]
fn come_and_go(semaphore: Semaphore, inside: SharedValue<u32>) {
    loop {
        let _permit = semaphore.acquire().or_else(LockError::recover).unwrap();
        let before = inside.update(|n| n + 1);
        assert!(before < 1000);
        inside.update(|n| n - 1);
    }
}

#[test]
fn kills_lose_no_permit() {
    let semaphore = Semaphore::new(2).unwrap();
    let inside = SharedValue::new(0_u32).unwrap();
    let start = || procs::spawn(come_and_go, (semaphore.clone(), inside.clone())).unwrap();
    let mut crew = [start(), start(), start()];
    for round in 0_u64..100 {
        thread::sleep(Duration::from_micros(round * 7919 % 1009));
        let victim = &mut crew[round as usize % 3];
        victim.kill();
        let _ = mem::replace(victim, start()).join_for(LIMIT);
    }
    for process in &mut crew {
        process.kill();
        let _ = process.join_for(LIMIT);
    }
    let acquire = |_| {
        let permit = semaphore.acquire_for(LIMIT).or_else(LockError::recover);
        permit.unwrap()
    };
    let all: Vec<_> = (0..2).map(acquire).collect();
    assert!(matches!(semaphore.try_acquire(), Err(LockError::TimedOut)));
    drop(all);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn permits_are_made_and_used_up() {
    let semaphore = Semaphore::new(0).unwrap();
    let clone = semaphore.clone();
    let taker = thread::spawn(move || clone.acquire_for(LIMIT).map(Permit::forget).is_ok());
    semaphore.release(1);
    assert!(taker.join().unwrap());
    assert_eq!(semaphore.available(), 0);
    semaphore.release(2);
    drop(semaphore.acquire_until(Instant::now()).unwrap());
    assert_eq!(semaphore.available(), 2);
}

#[procs::task]
fn give(tickets: BoundedSemaphore, count: usize) -> bool {
    tickets.release(count).is_ok()
}

#[test]
fn a_bounded_semaphore_refuses_more_than_it_had() {
    let tickets = BoundedSemaphore::new(2).unwrap();
    assert_eq!(tickets.release(1), Err(OverRelease));
    tickets.acquire();
    assert!(tickets.acquire_for(SHORT));
    assert!(!tickets.try_acquire());
    assert!(!tickets.acquire_for(SHORT));
    assert!(!tickets.acquire_until(Instant::now() + SHORT));
    let mut giver = procs::spawn(give, (tickets.clone(), 1)).unwrap();
    assert!(tickets.acquire_for(LIMIT));
    assert!(giver.join_for(LIMIT).unwrap());
    let mut giver = procs::spawn(give, (tickets.clone(), 3)).unwrap();
    assert!(!giver.join_for(LIMIT).unwrap());
    assert_eq!(tickets.available(), 0);
    tickets.release(2).unwrap();
    assert_eq!(tickets.available(), 2);
}

#[test]
fn a_stopped_user_stops_no_timed_wait() {
    let semaphore = Semaphore::new(1).unwrap();
    let inside = SharedValue::new(0_u32).unwrap();
    let user = procs::spawn(come_and_go, (semaphore.clone(), inside)).unwrap();
    for _ in 0..10 {
        stop(user.pid());
        // It may have the permit, or the semaphore's gate.
        drop(semaphore.acquire_for(SHORT));
        signal(user.pid(), "CONT");
    }
    user.kill();
    let permit = semaphore.acquire_for(LIMIT).or_else(LockError::recover);
    drop(permit.unwrap());
}

/// Both are descriptors to serde: only the memory itself can tell them apart.
#[test]
fn another_kind_is_refused() {
    let (here, there) = channel::<Either>().unwrap();
    here.send(&Either::Lock(Lock::new().unwrap())).unwrap();
    let error = there.receive().unwrap_err();
    assert!(error.to_string().contains("of this kind"), "{error}");
}

/// Is sent as a lock and received as an event.
#[derive(Debug)]
enum Either {
    Lock(Lock),
    Event,
}

impl Serialize for Either {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Lock(lock) => lock.serialize(serializer),
            Self::Event => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Either {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Event::deserialize(deserializer).map(|_| Self::Event)
    }
}
