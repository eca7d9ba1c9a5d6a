//! A lock or a permit whose owner is killed passes to the next one, which can tell.

use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use procs::sync::{BoundedSemaphore, Event, Lock, Permit, RLock, Semaphore};
use procs::{CreateError, LockError, ReleaseError, SharedArray, SharedValue, channel};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::{LIMIT, signal, stop};

/// Long enough to find something locked, and no more.
const SHORT: Duration = Duration::from_millis(3);

#[procs::task]
fn hold_lock(lock: Lock, held: Event) {
    let _guard = lock.recover().unwrap();
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
    assert_eq!(lock.try_lock().unwrap_err(), LockError::WouldBlock);
    assert_eq!(lock.lock_for(SHORT).unwrap_err(), LockError::TimedOut);
    owner.kill().unwrap();
    assert_eq!(lock.lock_for(LIMIT).unwrap_err(), LockError::OwnerDied);
    assert_eq!(lock.try_lock().unwrap_err(), LockError::OwnerDied);
    let guard = lock.recover_until(Instant::now() + LIMIT).unwrap();
    assert!(guard.is_inconsistent());
    assert_eq!(lock.try_lock().unwrap_err(), LockError::WouldBlock);
    assert_eq!(lock.try_recover().unwrap_err(), LockError::WouldBlock);
    assert_eq!(lock.lock_for(LIMIT).unwrap_err(), LockError::Deadlock);
    assert_eq!(lock.recover().unwrap_err(), LockError::Deadlock);
    drop(guard);
    // It was not repaired, so the error stays.
    assert_eq!(lock.lock().unwrap_err(), LockError::OwnerDied);
    let guard = lock.try_recover().unwrap();
    guard.mark_consistent();
    assert!(!guard.is_inconsistent());
    drop(guard);
    assert!(!lock.recover().unwrap().is_inconsistent());
    drop(lock.lock().unwrap());
    drop(lock.lock_until(Instant::now() + LIMIT).unwrap());
}

#[test]
fn a_thread_that_waits_when_the_owner_is_killed_gets_the_lock() {
    let (lock, held) = (Lock::new().unwrap(), Event::new().unwrap());
    let owner = procs::spawn(hold_lock, (lock.clone(), held.clone())).unwrap();
    held.wait_for(LIMIT).unwrap();
    held.clear();
    let next = procs::spawn(hold_lock, (lock.clone(), held.clone())).unwrap();
    assert!(held.wait_for(Duration::from_millis(20)).is_err());
    owner.kill().unwrap();
    held.wait_for(LIMIT).unwrap();
    next.kill().unwrap();
    assert_eq!(lock.lock().unwrap_err(), LockError::OwnerDied);
}

#[procs::task]
fn count_under(lock: Lock, pair: SharedArray<u64>) {
    loop {
        let guard = lock.recover().unwrap();
        if guard.is_inconsistent() {
            // The first number is the truth.
            pair.set(1, pair.get(0));
            guard.mark_consistent();
        }
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
        victim.kill().unwrap();
        let error = mem::replace(victim, start()).join_for(LIMIT).unwrap_err();
        assert!(
            matches!(error, procs::ProcessError::Died { status, .. } if status.signal() == Some(9)),
            "{error}"
        );
    }
    crew.iter().for_each(|process| process.kill().unwrap());
    let guard = lock.recover_for(LIMIT).unwrap();
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
    assert_eq!(again.lock().unwrap_err(), LockError::OwnerDied);
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
    go_on.wait().unwrap();
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
    assert_eq!(lock.try_lock().unwrap_err(), LockError::WouldBlock);
    assert_eq!(lock.lock_for(SHORT).unwrap_err(), LockError::TimedOut);
    go_on.set();
    assert!(!owner.join_for(LIMIT).unwrap());
    drop(lock.lock_for(LIMIT).unwrap());

    held.clear();
    go_on.clear();
    let killed = procs::spawn(lock_twice, arguments).unwrap();
    held.wait_for(LIMIT).unwrap();
    killed.kill().unwrap();
    assert_eq!(lock.lock_for(LIMIT).unwrap_err(), LockError::OwnerDied);
    assert!(!lock.is_owned());
    let guard = lock.recover().unwrap();
    assert!(guard.is_inconsistent());
    let inner = lock.lock().unwrap();
    inner.mark_consistent();
    drop((guard, inner));
    drop(lock.lock().unwrap());
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
    assert_eq!(semaphore.try_acquire().unwrap_err(), LockError::WouldBlock);
    assert_eq!(
        semaphore.acquire_for(SHORT).unwrap_err(),
        LockError::TimedOut
    );
    owner.kill().unwrap();
    assert_eq!(
        semaphore.acquire_for(LIMIT).unwrap_err(),
        LockError::OwnerDied
    );
    let permit = semaphore.recover_for(LIMIT).unwrap();
    assert!(permit.is_inconsistent());
    permit.mark_consistent();
    let doubtful = semaphore.try_recover().unwrap();
    assert_eq!(semaphore.try_acquire().unwrap_err(), LockError::WouldBlock);
    assert_eq!(semaphore.try_recover().unwrap_err(), LockError::WouldBlock);
    drop((mine, permit));
    assert_eq!(semaphore.available(), 2);
    drop(doubtful);
    // The permit that was not repaired is left for `recover`.
    let two = [(); 2].map(|()| semaphore.try_acquire().unwrap());
    assert_eq!(semaphore.try_acquire().unwrap_err(), LockError::OwnerDied);
    let last = semaphore.recover_until(Instant::now() + LIMIT).unwrap();
    assert!(last.is_inconsistent());
    last.mark_consistent();
    drop((two, last));
    assert_eq!(semaphore.available(), 3);
}

#[procs::task]
fn come_and_go(semaphore: Semaphore, inside: SharedValue<u32>) {
    loop {
        let permit = semaphore.recover().unwrap();
        permit.mark_consistent();
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
        victim.kill().unwrap();
        let _ = mem::replace(victim, start()).join_for(LIMIT);
    }
    for process in &mut crew {
        process.kill().unwrap();
        let _ = process.join_for(LIMIT);
    }
    let all = [(); 2].map(|()| semaphore.recover_for(LIMIT).unwrap());
    assert_eq!(semaphore.try_recover().unwrap_err(), LockError::WouldBlock);
    all.iter().for_each(Permit::mark_consistent);
    drop(all);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn permits_are_made_and_used_up() {
    let semaphore = Semaphore::new(0).unwrap();
    let clone = semaphore.clone();
    let taker = thread::spawn(move || clone.acquire_for(LIMIT).map(Permit::forget).is_ok());
    semaphore.release(1).unwrap();
    assert!(taker.join().unwrap());
    assert_eq!(semaphore.available(), 0);
    semaphore.release(2).unwrap();
    assert_eq!(semaphore.release(usize::MAX), Err(ReleaseError::TooMany));
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
    assert_eq!(tickets.release(1), Err(ReleaseError::TooMany));
    tickets.acquire().unwrap();
    tickets.acquire_for(SHORT).unwrap();
    assert_eq!(tickets.try_acquire(), Err(LockError::WouldBlock));
    assert_eq!(tickets.acquire_for(SHORT), Err(LockError::TimedOut));
    let soon = Instant::now() + SHORT;
    assert_eq!(tickets.acquire_until(soon), Err(LockError::TimedOut));
    let mut giver = procs::spawn(give, (tickets.clone(), 1)).unwrap();
    tickets.acquire_for(LIMIT).unwrap();
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
        // It may have the permit, or the semaphore's internal lock.
        drop(semaphore.acquire_for(SHORT));
        signal(user.pid(), "CONT");
    }
    user.kill().unwrap();
    drop(semaphore.recover_for(LIMIT).unwrap());
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

/// A lock's error holds no guard: it passes through `?` into any error, on any thread.
#[test]
fn errors_pass_through_the_question_mark() {
    fn use_all(
        lock: &Lock,
        semaphore: &Semaphore,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        let _guard = lock.lock()?;
        let _permit = semaphore.acquire_for(SHORT)?;
        BoundedSemaphore::new(1)?.try_acquire()?;
        drop(RLock::new()?.try_lock()?);
        Event::new()?.wait_for(SHORT)?;
        Ok(())
    }
    let error = use_all(&Lock::new().unwrap(), &Semaphore::new(1).unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("within the time limit"),
        "{error}"
    );
}

#[test]
fn a_number_of_permits_out_of_range_is_an_error() {
    let error = BoundedSemaphore::new(1 << 31).unwrap_err();
    assert!(
        matches!(error, CreateError::OutOfRange { given, max, .. } if given == max + 1),
        "{error:?}"
    );
    let largest = BoundedSemaphore::new((1 << 31) - 1).unwrap();
    assert_eq!(largest.available(), (1 << 31) - 1);
    assert_eq!(largest.release(1), Err(ReleaseError::TooMany));
    assert_eq!(BoundedSemaphore::new(0).unwrap().available(), 0);
}
