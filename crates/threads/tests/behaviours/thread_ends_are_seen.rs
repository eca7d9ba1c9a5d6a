//! A thread's value, panic or end reaches whoever joins it, once and in time.

use crate::common::{LONG, SHORT, within_limit};
use std::panic::panic_any;
use std::time::{Duration, Instant};
use threads::{JoinError, Lock, Queue, Thread, spawn};

#[test]
fn join_gives_the_value_once() {
    let mut thread = spawn(|| "value".to_owned()).unwrap();
    assert_eq!(thread.join().unwrap(), "value");
    assert!(matches!(thread.join(), Err(JoinError::AlreadyJoined)));
    assert!(matches!(
        thread.join_for(SHORT),
        Err(JoinError::AlreadyJoined)
    ));
    assert!(!thread.is_alive());
}

#[test]
fn a_panic_comes_back_with_its_payload() {
    let mut text = spawn(|| panic!("number {}", 7)).unwrap();
    let Err(JoinError::Panicked(panic)) = text.join() else {
        panic!("a value");
    };
    assert_eq!(panic.message(), "number 7");

    let mut value = spawn(|| panic_any(7_u8)).unwrap();
    let Err(JoinError::Panicked(panic)) = value.join() else {
        panic!("a value");
    };
    assert_eq!(panic.into_payload().downcast_ref(), Some(&7_u8));
}

#[test]
fn join_for_and_try_join_do_not_wait_for_ever() {
    within_limit(|| {
        let gate = Queue::bounded(1);
        let opened = gate.clone();
        let mut thread = spawn(move || opened.get().unwrap()).unwrap();
        assert!(thread.try_join().is_none());
        let start = Instant::now();
        assert!(matches!(thread.join_for(SHORT), Err(JoinError::TimedOut)));
        assert!(start.elapsed() >= SHORT);
        assert!(thread.is_alive());
        gate.put(5).unwrap();
        assert_eq!(thread.join_for(LONG).unwrap(), 5);
        assert!(matches!(
            thread.try_join(),
            Some(Err(JoinError::AlreadyJoined))
        ));
    });
}

#[test]
fn the_longest_time_limit_is_no_limit() {
    let mut thread = spawn(|| 1).unwrap();
    assert_eq!(thread.join_for(Duration::MAX).unwrap(), 1);
}

#[test]
fn a_thread_cannot_join_itself() {
    within_limit(|| {
        let handle = Queue::<Thread<Result<(), String>>>::bounded(1);
        let (own, back) = (handle.clone(), Queue::bounded(1));
        let result = back.clone();
        let thread = spawn(move || {
            let mut me = own.get().map_err(|error| error.to_string())?;
            let outcomes = (
                matches!(me.join(), Err(JoinError::SelfJoin)),
                matches!(me.join_for(LONG), Err(JoinError::SelfJoin)),
                matches!(me.try_join(), Some(Err(JoinError::SelfJoin))),
            );
            result.put(outcomes).map_err(|error| error.to_string())
        })
        .unwrap();
        handle.put(thread).unwrap();
        assert_eq!(back.get(), Ok((true, true, true)));
    });
}

#[test]
fn names_and_stack_sizes_are_honoured() {
    fn deep(n: usize) -> usize {
        let frame = std::hint::black_box([n; 512]);
        if n == 0 {
            frame[0]
        } else {
            deep(n - 1) + frame[1] - n + 1
        }
    }
    let mut named = Thread::builder().name("reader").spawn(|| ()).unwrap();
    assert_eq!(named.name(), "reader");
    named.join().unwrap();
    // Four kilobytes a call: far more than the default stack.
    let large = Thread::builder().stack_size(64 << 20);
    assert_eq!(large.spawn(|| deep(4000)).unwrap().join().unwrap(), 4000);
    let small = Thread::builder().stack_size(1);
    assert_eq!(small.spawn(|| 1).unwrap().join().unwrap(), 1);
}

#[test]
fn a_name_with_a_zero_byte_is_an_error() {
    let error = Thread::builder().name("a\0b").spawn(|| ()).unwrap_err();
    assert!(error.is_bad_name(), "{error}");
}

#[test]
fn a_lock_is_free_after_a_panic() {
    static VALUE: Lock<u8> = Lock::new(0);
    let mut thread = spawn(|| {
        *VALUE.lock() = 1;
        let _held = VALUE.lock();
        panic!("with the lock held");
    })
    .unwrap();
    assert!(thread.join().is_err());
    assert_eq!(VALUE.lock_for(LONG).as_deref(), Some(&1));
}
