//! Drops, clones, closures, iterators and wakers that panic at their n-th call, for every n: the coroutine is finished or
//! can be resumed, and every value is dropped once.

use coroutines::{
    Boxed, Co, Coroutine, Rec, Scheduler, Shared, coroutine, generator, interleave, recursive,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};

thread_local! {
    /// Calls that are left before one panics.
    static FUSE: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Values made and not yet dropped.
    static ALIVE: Cell<i64> = const { Cell::new(0) };
}

const BURNT: &str = "the fuse has burnt";

/// One call of user code. A panic during a panic would end the process, so there is none then.
fn tick() {
    if std::thread::panicking() {
        return;
    }
    let left = FUSE.get();
    FUSE.set(left.wrapping_sub(1));
    if left == 0 {
        std::panic::panic_any(BURNT);
    }
}

/// A value whose every operation may panic.
struct Value;

impl Value {
    fn new() -> Self {
        tick();
        ALIVE.set(ALIVE.get() + 1);
        Self
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
        tick();
    }
}

/// Runs `scenario` with a panic at its first, second, ... call of user code, until it runs through.
///
/// The scenario catches that panic itself. What it asserts afterwards is about the state that the panic has left.
fn at_each_call(scenario: impl Fn()) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let expected = info.payload().downcast_ref::<&str>() == Some(&BURNT);
        if !expected {
            hook(info);
        }
    }));
    for n in 0.. {
        FUSE.set(n);
        scenario();
        let left = FUSE.replace(usize::MAX);
        assert_eq!(ALIVE.get(), 0, "after a panic at call {n}");
        // Burning wraps around.
        if left <= usize::MAX / 2 {
            assert!(n > 5, "the scenario calls user code");
            return;
        }
    }
}

/// Nothing panics from here on.
fn defuse() {
    let burnt = FUSE.get() > usize::MAX / 2;
    FUSE.set(if burnt { usize::MAX } else { usize::MAX / 2 });
}

/// Calls `call`; a panic of user code is caught, and counts as `None`.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// Ends it in whatever way is left; from here on nothing panics.
fn finish<A: Default, C: Coroutine<A> + Unpin>(g: &mut C) {
    defuse();
    Pin::new(&mut *g).close();
    assert!(g.is_finished());
    assert!(Pin::new(g).try_resume(A::default()).is_err());
}

/// Resumes `g` until it has finished, through panics.
fn exhaust(g: &mut Boxed<'static, Value, Value, usize>) {
    for _ in 0..20 {
        if g.is_finished() {
            return;
        }
        let _ = caught(|| drop(g.resume(Value::new())));
    }
    panic!("not finished after twenty resumes");
}

// What a body returns is no `Value`: the compiler leaks a returned value when the drop of a local panics
// (rust-lang/rust#47949).
fn exchange(n: usize) -> Boxed<'static, Value, Value, usize> {
    coroutine(async move |mut co: Co<'_, Value, Value>, first: Value| {
        let mut held = vec![first];
        for _ in 0..n {
            let _scratch = held[0].clone();
            let answer = co.yield_(held[0].clone()).await;
            held.push(answer);
        }
        held.len()
    })
    .boxed()
}

#[test]
fn resumed_to_the_end() {
    at_each_call(|| {
        let mut g = exchange(3);
        exhaust(&mut g);
        finish(&mut g);
    });
}

#[test]
fn closed_in_the_middle() {
    at_each_call(|| {
        let mut g = exchange(3);
        for _ in 0..2 {
            let _ = caught(|| drop(g.try_resume(Value::new())));
        }
        let _ = caught(|| g.close());
        assert!(g.is_finished());
        finish(&mut g);
    });
}

#[test]
fn dropped_in_the_middle() {
    at_each_call(|| {
        let mut g = exchange(3);
        for _ in 0..2 {
            let _ = caught(|| drop(g.try_resume(Value::new())));
        }
        let _ = caught(|| drop(g));
    });
}

#[test]
fn filled_and_driven() {
    at_each_call(|| {
        let mut g = exchange(5);
        let mut out = Vec::new();
        let filled = caught(|| Coroutine::fill(Pin::new(&mut g), &mut out, 3));
        assert!(out.len() == 3 || out.len() < 3 && filled.is_none());
        let _ = caught(|| Coroutine::drive(Pin::new(&mut g), &mut |value| drop(value.clone())));
        finish(&mut g);
        drop(out);
    });
}

async fn descend(mut co: Rec<'_, Value>, n: usize) -> usize {
    let _scratch = Value::new();
    co.yield_(Value::new()).await;
    if n > 0 {
        1 + co.call_value(|co| descend(co, n - 1)).await
    } else {
        1
    }
}

#[test]
fn recursion_run_to_the_end() {
    at_each_call(|| {
        let mut g = recursive(|co| descend(co, 3));
        let end = caught(|| g.by_ref().for_each(drop));
        assert_eq!(g.take_return(), end.map(|()| 4));
        defuse();
        // A panic of a yielded value's drop leaves it suspended.
        g.by_ref().for_each(drop);
        assert!(g.is_finished());
    });
}

#[test]
fn recursion_closed_in_the_middle() {
    at_each_call(|| {
        let mut g = recursive(|co| descend(co, 3));
        let _ = caught(|| g.by_ref().take(3).for_each(drop));
        let _ = caught(|| Pin::new(&mut g).close());
        assert!(g.is_finished());
        assert!(g.next().is_none());
        defuse();
    });
}

#[test]
fn shared_and_delegated_to() {
    at_each_call(|| {
        let shared = Shared::new(exchange(3));
        let delegate = shared.clone();
        let mut outer = coroutine(async move |mut co: Co<'_, Value, Value>, first| {
            co.yield_from(delegate, first).await
        })
        .boxed();
        for _ in 0..2 {
            let _ = caught(|| drop(outer.try_resume(Value::new())));
        }
        let _ = caught(|| outer.close());
        assert!(outer.is_finished());
        finish(&mut outer);
        assert_eq!(shared.close(), Ok(()));
        assert!(shared.is_finished());
    });
}

#[test]
fn scheduled() {
    at_each_call(|| {
        let mut scheduler = Scheduler::new();
        let body = async |mut co: Co<'_, Value>| {
            let _scratch = Value::new();
            for _ in 0..2 {
                co.yield_(Value::new()).await;
            }
        };
        for _ in 0..3 {
            scheduler.spawn(generator(body).boxed());
        }
        while scheduler.is_ready() {
            let _ = caught(|| scheduler.run(|_, state| drop(state)));
        }
        assert_eq!(scheduler.len(), 0);
        // The slot of one that a panic has ended is used again.
        let again = scheduler.spawn(generator(body).boxed());
        defuse();
        assert!(scheduler.remove(again).is_some());
    });
}

#[test]
fn interleaved() {
    at_each_call(|| {
        let body = async |mut co: Co<'_, Value>| {
            co.yield_all(std::iter::repeat_with(Value::new).take(3))
                .await;
        };
        let (a, b) = (pin!(generator(body)), pin!(generator(body)));
        let mut both = interleave!(a, b);
        while !matches!(caught(|| both.next().map(drop)), Some(None)) {}
        defuse();
    });
}
