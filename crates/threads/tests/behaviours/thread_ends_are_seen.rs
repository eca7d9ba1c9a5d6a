//! A thread's value, panic or end reaches whoever joins it, once and in time.

use crate::common::{LONG, SHORT, within_limit};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::time::{Duration, Instant};
use threads::{
    JobError, JoinError, Lock, Pool, Queue, Run, Thread, enumerate, scope, spawn, start,
    wait_any_for,
};

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

/// A value whose destructor, at the end of its thread, says so and then waits for the gate.
struct Lingering {
    dropping: Queue<()>,
    gate: Queue<()>,
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let _ = self.dropping.put(());
        let _ = self.gate.get();
    }
}

thread_local! {
    static LINGERING: RefCell<Option<Lingering>> = const { RefCell::new(None) };
}

/// Puts a `Lingering` into the calling thread, and returns the body's value.
fn linger(dropping: &Queue<()>, gate: &Queue<()>) -> u8 {
    let value = Lingering {
        dropping: dropping.clone(),
        gate: gate.clone(),
    };
    LINGERING.set(Some(value));
    7
}

#[test]
fn a_thread_has_ended_when_its_thread_local_values_are_dropped() {
    within_limit(|| {
        let (dropping, gate) = (Queue::unbounded(), Queue::unbounded());
        let (started, opened) = (dropping.clone(), gate.clone());
        let mut thread = spawn(move || linger(&started, &opened)).unwrap();
        dropping.get().unwrap();
        assert!(matches!(thread.join_for(SHORT), Err(JoinError::TimedOut)));
        assert!(thread.try_join().is_none() && thread.is_alive());
        assert!(wait_any_for(&[&thread], SHORT).is_err());
        assert!(enumerate().contains(thread.info()));
        gate.put(()).unwrap();
        assert_eq!(wait_any_for(&[&thread], LONG), Ok(0));
        assert_eq!(thread.join_for(LONG).unwrap(), 7);
        assert!(!thread.is_alive() && !enumerate().contains(thread.info()));
    });
}

#[test]
fn a_scope_ends_after_the_thread_local_values_of_its_threads() {
    within_limit(|| {
        for joined in [false, true] {
            let (dropping, gate) = (Queue::unbounded(), Queue::unbounded());
            let opened = Lock::new(false);
            scope(|outer| {
                outer
                    .spawn(|| {
                        dropping.get().unwrap();
                        std::thread::sleep(SHORT);
                        *opened.lock() = true;
                        gate.put(()).unwrap();
                    })
                    .unwrap();
                scope(|s| {
                    let mut thread = s.spawn(|| linger(&dropping, &gate)).unwrap();
                    if joined {
                        assert_eq!(thread.join().unwrap(), 7);
                        assert!(*opened.lock());
                    }
                });
                assert!(*opened.lock());
            });
        }
    });
}

/// A value whose destructor panics.
struct Exploding;

impl Drop for Exploding {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[test]
fn a_refused_thread_whose_function_panics_when_dropped_is_not_listed() {
    let captured = Exploding;
    let name = "refused and exploding";
    let refused = Thread::builder().name(name).stack_size(usize::MAX / 2);
    let spawned = catch_unwind(AssertUnwindSafe(|| {
        refused.spawn(move || drop(captured)).is_err()
    }));
    assert!(spawned.is_err(), "the destructor's panic is the caller's");
    assert!(enumerate().iter().all(|info| info.name() != name));
}

#[test]
fn absurd_stack_sizes_are_errors_or_rounded() {
    for size in [0, 1, usize::MAX / 2, usize::MAX - 4096, usize::MAX] {
        match Thread::builder().name("huge").stack_size(size).spawn(|| 7) {
            Ok(mut thread) => assert_eq!(thread.join().unwrap(), 7),
            Err(error) => assert!(!error.is_bad_name() && error.to_string().contains("huge")),
        }
    }
}

#[test]
fn a_value_that_panics_when_dropped_ends_neither_its_thread_nor_its_scope() {
    within_limit(|| {
        drop(spawn(|| Exploding).unwrap());
        scope(|s| drop(s.spawn(|| Exploding).unwrap()));
        let mut after = spawn(|| 7).unwrap();
        assert_eq!(after.join_for(LONG).unwrap(), 7);
    });
}

#[test]
fn a_thread_is_renamed_from_inside_and_outside() {
    within_limit(|| {
        let (renamed, gate) = (Queue::bounded(1), Queue::<()>::bounded(1));
        let (done, opened) = (renamed.clone(), gate.clone());
        let mut thread = Thread::builder()
            .name("before")
            .spawn(move || {
                threads::current().set_name("inside");
                done.put(()).unwrap();
                let _ = opened.get();
            })
            .unwrap();
        renamed.get().unwrap();
        assert_eq!(thread.name(), "inside");
        thread.set_name("a name longer than fifteen bytes");
        assert_eq!(thread.info().name(), "a name longer than fifteen bytes");
        #[cfg(target_os = "linux")]
        {
            let id = thread.native_id().unwrap();
            let shown = std::fs::read_to_string(format!("/proc/self/task/{id}/comm")).unwrap();
            assert_eq!(shown, "a name longer t\n");
        }
        thread.set_name("zero\0byte");
        gate.put(()).unwrap();
        thread.join().unwrap();
        thread.set_name("after");
        assert_eq!(thread.name(), "after");
    });
}
