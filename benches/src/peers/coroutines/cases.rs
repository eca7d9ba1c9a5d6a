//! The same small programs, written with each peer. A case does `n` items and returns their sum, so that none is skipped.
//!
//! What is meant to be opaque (boxed, of unknown type) is made by a function that is not inlined, and passed through
//! `black_box`; what is meant to be inlined is left to the optimiser.

use coroutines::{
    Boxed, Co, CoroutineState, Rec, Recursive, Scheduler, async_generator, generator, interleave,
    recursive,
};
use futures_core::Stream;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// A case: does `n` items.
pub type Case = fn(u64) -> u64;

/// Every case, by name, for criterion.
pub const ALL: &[(&str, Case)] = &[
    ("inlined/hand_written", hand_written),
    ("inlined/ours", inlined),
    ("inlined/genawaiter", genawaiter_stack),
    ("boxed/hand_written", hand_written_boxed),
    ("boxed/ours", boxed_resume),
    ("boxed/ours_next", boxed_next),
    ("boxed/ours_fill", boxed_fill),
    ("boxed/ours_fold", boxed_fold),
    ("boxed/corosensei", corosensei_resume),
    ("boxed/genawaiter_rc", genawaiter_rc),
    ("create/ours_pinned", create_pinned),
    ("create/ours_boxed", create_boxed),
    ("create/genawaiter_rc", create_genawaiter),
    ("recursion/4", |n| recursion(4, n)),
    ("recursion/16", |n| recursion(16, n)),
    ("recursion/1000", |n| recursion(1000, n)),
    ("round_robin/ours_interleave", round_robin_interleave),
    ("round_robin/ours_interleave_fold", round_robin_fold),
    ("round_robin/ours_scheduler", round_robin_scheduler),
    ("round_robin/corosensei", round_robin_corosensei),
    ("async/ours", async_ours),
    ("async/async_stream", async_stream),
    ("async_boxed/ours", async_ours_boxed),
    ("async_boxed/async_stream", async_stream_boxed),
];

struct Hand {
    next: u64,
    end: u64,
}

impl Iterator for Hand {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let i = self.next;
        (i < self.end).then(|| {
            self.next = i + 1;
            i ^ 5
        })
    }
}

#[inline(never)]
pub(super) fn hand_written(n: u64) -> u64 {
    let mut sum = 0u64;
    for x in (Hand { next: 0, end: n }) {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
pub(super) fn inlined(n: u64) -> u64 {
    let mut sum = 0u64;
    for x in pin!(generator(async move |mut co: Co<'_, u64>| {
        for i in 0..n {
            co.yield_(i ^ 5).await;
        }
    })) {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
pub(super) fn genawaiter_stack(n: u64) -> u64 {
    let mut shelf = genawaiter::stack::Shelf::new();
    // SAFETY: the generator is pinned to this function, as the shelf is, and gone before it.
    let mut g = unsafe {
        genawaiter::stack::Gen::new(&mut shelf, |co| async move {
            for i in 0..n {
                co.yield_(i ^ 5).await;
            }
        })
    };
    let mut sum = 0u64;
    while let genawaiter::GeneratorState::Yielded(x) = g.resume() {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
fn hand_written_boxed(n: u64) -> u64 {
    let boxed: Box<dyn Iterator<Item = u64>> = black_box(Box::new(Hand { next: 0, end: n }));
    let mut sum = 0u64;
    for x in boxed {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
fn count(n: u64) -> Boxed<'static, u64> {
    generator(async move |mut co: Co<'_, u64>| {
        for i in 0..n {
            co.yield_(i ^ 5).await;
        }
    })
    .boxed()
}

#[inline(never)]
pub(super) fn boxed_resume(n: u64) -> u64 {
    let mut g = black_box(count(n));
    let mut sum = 0u64;
    while let CoroutineState::Yielded(x) = g.resume(()) {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
fn boxed_next(n: u64) -> u64 {
    let mut sum = 0u64;
    for x in black_box(count(n)) {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
pub(super) fn boxed_fill(n: u64) -> u64 {
    let mut g = black_box(count(n));
    let mut batch = Vec::with_capacity(256);
    let mut sum = 0u64;
    while g.fill(&mut batch, 256) > 0 {
        for x in batch.drain(..) {
            sum = sum.wrapping_add(x);
        }
    }
    sum
}

#[inline(never)]
pub(super) fn boxed_fold(n: u64) -> u64 {
    black_box(count(n)).fold(0u64, u64::wrapping_add)
}

fn corosensei(n: u64) -> corosensei::Coroutine<(), u64, ()> {
    corosensei::Coroutine::new(move |yielder, ()| {
        for i in 0..n {
            yielder.suspend(i ^ 5);
        }
    })
}

#[inline(never)]
pub(super) fn corosensei_resume(n: u64) -> u64 {
    let mut g = corosensei(n);
    let mut sum = 0u64;
    while let corosensei::CoroutineResult::Yield(x) = g.resume(()) {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
fn genawaiter_rc(n: u64) -> u64 {
    let mut sum = 0u64;
    let g = genawaiter::rc::Gen::new(|co| async move {
        for i in 0..n {
            co.yield_(i ^ 5).await;
        }
    });
    for x in g {
        sum = sum.wrapping_add(x);
    }
    sum
}

/// Generators of ten values each, as many as make `n` values.
#[inline(never)]
pub(super) fn create_pinned(n: u64) -> u64 {
    (0..n / 10).map(|_| inlined(black_box(10))).sum()
}

#[inline(never)]
pub(super) fn create_boxed(n: u64) -> u64 {
    (0..n / 10)
        .map(|_| black_box(count(black_box(10))).sum::<u64>())
        .sum()
}

#[inline(never)]
pub(super) fn create_genawaiter(n: u64) -> u64 {
    let one = || {
        let n = black_box(10);
        let g = genawaiter::rc::Gen::new(|co| async move {
            for i in 0..n {
                co.yield_(i ^ 5).await;
            }
        });
        black_box(g).into_iter().sum::<u64>()
    };
    (0..n / 10).map(|_| one()).sum()
}

async fn descend(mut co: Rec<'_, u64>, depth: u64, n: u64) {
    if depth > 0 {
        return co.call(|co| descend(co, depth - 1, n)).await;
    }
    for i in 0..n {
        co.yield_(i).await;
    }
}

#[inline(never)]
pub(super) fn recursion(depth: u64, n: u64) -> u64 {
    let g: Recursive<'_, u64> = black_box(recursive(|co| descend(co, depth, n)));
    let mut sum = 0u64;
    for x in g {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
pub(super) fn round_robin_interleave(n: u64) -> u64 {
    let body = async move |mut co: Co<'_, u64>| {
        for i in 0..n / 2 {
            co.yield_(i ^ 5).await;
        }
    };
    let (a, b) = (pin!(generator(body)), pin!(generator(body)));
    let mut sum = 0u64;
    for x in interleave!(a, b) {
        sum = sum.wrapping_add(x);
    }
    sum
}

/// The same by internal iteration, as `sum`, `for_each` and `collect` do it.
#[inline(never)]
pub(super) fn round_robin_fold(n: u64) -> u64 {
    let body = async move |mut co: Co<'_, u64>| {
        for i in 0..n / 2 {
            co.yield_(i ^ 5).await;
        }
    };
    let (a, b) = (pin!(generator(body)), pin!(generator(body)));
    interleave!(a, b).fold(0u64, u64::wrapping_add)
}

#[inline(never)]
pub(super) fn round_robin_scheduler(n: u64) -> u64 {
    let mut scheduler = Scheduler::new();
    scheduler.spawn(count(n / 2));
    scheduler.spawn(count(n / 2));
    let mut scheduler = black_box(scheduler);
    let mut sum = 0u64;
    while let Some((_, state)) = scheduler.step() {
        if let CoroutineState::Yielded(x) = state {
            sum = sum.wrapping_add(x);
        }
    }
    sum
}

#[inline(never)]
pub(super) fn round_robin_corosensei(n: u64) -> u64 {
    let (mut a, mut b) = (corosensei(n / 2), corosensei(n / 2));
    let mut sum = 0u64;
    while let corosensei::CoroutineResult::Yield(x) = a.resume(()) {
        sum = sum.wrapping_add(x);
        if let corosensei::CoroutineResult::Yield(x) = b.resume(()) {
            sum = sum.wrapping_add(x);
        }
    }
    sum
}

fn drain<S: Stream<Item = u64>>(mut stream: Pin<&mut S>) -> u64 {
    let mut cx = Context::from_waker(Waker::noop());
    let mut sum = 0u64;
    while let Poll::Ready(Some(x)) = stream.as_mut().poll_next(&mut cx) {
        sum = sum.wrapping_add(x);
    }
    sum
}

#[inline(never)]
pub(super) fn async_ours(n: u64) -> u64 {
    drain(pin!(async_generator(async move |mut co: Co<'_, u64>| {
        for i in 0..n {
            co.yield_(i ^ 5).await;
        }
    })))
}

#[inline(never)]
pub(super) fn async_stream(n: u64) -> u64 {
    drain(pin!(async_stream::stream! {
        for i in 0..n {
            yield i ^ 5;
        }
    }))
}

type BoxedStream = Pin<Box<dyn Stream<Item = u64>>>;

/// The same, opaque: as streams are handed around.
#[inline(never)]
pub(super) fn async_ours_boxed(n: u64) -> u64 {
    let stream: BoxedStream = Box::pin(async_generator(async move |mut co: Co<'_, u64>| {
        for i in 0..n {
            co.yield_(i ^ 5).await;
        }
    }));
    drain(pin!(black_box(stream)))
}

#[inline(never)]
pub(super) fn async_stream_boxed(n: u64) -> u64 {
    let stream: BoxedStream = Box::pin(async_stream::stream! {
        for i in 0..n {
            yield i ^ 5;
        }
    });
    drain(pin!(black_box(stream)))
}
