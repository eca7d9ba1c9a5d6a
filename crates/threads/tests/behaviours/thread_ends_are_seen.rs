//! A thread's value, panic or end reaches whoever joins it, once and in time.

use crate::common::{LONG, SHORT, within_limit};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::time::{Duration, Instant};
use threads::{JobError, JoinError, Local, Lock, Pool, Queue, Run, Thread, scope, spawn, start};

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

struct Greeter {
    greeting: &'static str,
    name: String,
}

impl Run for Greeter {
    type Output = String;

    fn run(self) -> String {
        format!(
            "{} {} from {}",
            self.greeting,
            self.name,
            threads::current().name()
        )
    }
}

#[test]
fn an_object_is_started_as_a_thread() {
    let greeter = |name: &str| Greeter {
        greeting: "hello",
        name: name.to_owned(),
    };
    let named = Thread::builder().name("greeter");
    let mut thread = named.start(greeter("bob")).unwrap();
    assert_eq!(thread.join().unwrap(), "hello bob from greeter");
    assert!(
        start(greeter("eve"))
            .unwrap()
            .join()
            .unwrap()
            .starts_with("hello eve")
    );
}

#[test]
fn a_daemon_is_told_by_its_builder_or_by_its_maker() {
    let mut daemon = Thread::builder()
        .daemon(true)
        .spawn(|| {
            let inherited = spawn(|| ()).unwrap().is_daemon();
            let chosen = Thread::builder().daemon(false).spawn(|| ()).unwrap();
            (inherited, chosen.is_daemon())
        })
        .unwrap();
    assert!(daemon.is_daemon());
    assert_eq!(daemon.join().unwrap(), (true, false));
}

#[test]
fn scoped_threads_borrow_and_have_ended_when_the_scope_returns() {
    within_limit(|| {
        let mut values = vec![1, 2, 3, 4];
        let sum = scope(|s| {
            let (left, right) = values.split_at_mut(2);
            let inner = s.clone();
            s.spawn(move || {
                left[0] = 10;
                inner.spawn(move || left[1] = 20).unwrap();
            })
            .unwrap();
            let mut sum = s.spawn(|| right.iter().sum::<i32>()).unwrap();
            (
                sum.join_for(LONG).unwrap(),
                sum.try_join().is_some(),
                sum.is_alive(),
            )
        });
        assert_eq!(sum, (7, true, false));
        assert_eq!(values, [10, 20, 3, 4]);
    });
}

#[test]
fn a_panic_in_a_scope_reaches_the_joiner_or_the_owner() {
    within_limit(|| {
        let joined = scope(|s| s.spawn(|| panic!("joined")).unwrap().join());
        assert!(matches!(joined, Err(JoinError::Panicked(p)) if p.message() == "joined"));

        let unjoined = catch_unwind(AssertUnwindSafe(|| {
            scope(|s| drop(s.spawn(|| panic!("unjoined")).unwrap()));
        }));
        assert_eq!(unjoined.unwrap_err().downcast_ref(), Some(&"unjoined"));
    });
}

/// Tells when it is dropped.
struct Noisy(Arc<Lock<usize>>);

impl Drop for Noisy {
    fn drop(&mut self) {
        *self.0.lock() += 1;
    }
}

#[test]
fn each_thread_has_a_local_value_of_its_own() {
    let drops = Arc::new(Lock::new(0));
    let counter = drops.clone();
    let local = Arc::new(Local::new(move || (Cell::new(0), Noisy(counter.clone()))));
    local.with(|(n, _)| n.set(1));
    let other = local.clone();
    let mut thread = spawn(move || other.with(|(n, _)| n.replace(5))).unwrap();
    assert_eq!(thread.join().unwrap(), 0);
    assert_eq!(*drops.lock(), 1);
    assert_eq!(local.with(|(n, _)| n.get()), 1);

    // The values of a local that is gone go when the thread makes its next one.
    drop(local);
    assert_eq!(Local::new(|| 3).get(), 3);
    assert_eq!(*drops.lock(), 2);
}

#[test]
fn a_local_may_use_itself_and_others() {
    let names = Arc::new(Local::new(|| RefCell::new(vec!["a"])));
    let inner = names.clone();
    let count = Local::new(move || inner.with(|names| names.borrow().len()));
    assert_eq!(count.get(), 1);
    names.with(|outer| names.with(|same| assert!(std::ptr::eq(outer, same))));
}

#[test]
fn a_thread_may_end_itself_from_deep_inside() {
    fn descend(depth: u32) -> u32 {
        match depth {
            0 => threads::exit_thread(),
            _ => descend(depth - 1) + 1,
        }
    }
    within_limit(|| {
        let held = Arc::new(());
        let inside = held.clone();
        let mut thread = spawn(move || descend(20) + Arc::strong_count(&inside) as u32).unwrap();
        assert!(matches!(thread.join(), Err(JoinError::Exited)));
        assert_eq!(Arc::strong_count(&held), 1, "the stack is unwound");

        // No panic, so the scope ends well, joined or not.
        threads::scope(|s| {
            let mut joined = s.spawn(|| descend(1)).unwrap();
            assert!(matches!(joined.join(), Err(JoinError::Exited)));
            s.spawn(|| descend(1)).unwrap();
        });

        // A worker is not the job's to end.
        let pool = Pool::new(1).unwrap();
        let job = pool.submit(|| -> () { threads::exit_thread() });
        let Err(JobError::Panicked(panic)) = job.result() else {
            panic!("the job cannot have a value");
        };
        assert!(panic.message().starts_with("exit_thread"));
        assert_eq!(pool.submit(|| 7).result().unwrap(), 7);
    });
}
