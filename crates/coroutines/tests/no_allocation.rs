//! A pinned generator allocates nothing, from its making to its drop. Counted by this program's own allocator.

#[path = "common/allocations.rs"]
mod allocations;

use coroutines::{
    Co, Coroutine, CoroutineExt, CoroutineState::*, coroutine, generator, interleave,
};
use std::pin::pin;

use allocations::allocations;

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn a_pinned_generator_allocates_nothing() {
    let count = allocations(|| {
        let g = pin!(generator(async |mut co: Co<'_, u64>| {
            let list = [1, 2, 3];
            for n in &list {
                co.yield_(*n).await;
            }
            co.yield_all(4..=10).await;
        }));
        assert_eq!(g.sum::<u64>(), 55);
    });
    assert_eq!(count, 0);
}

#[test]
fn send_throw_close_and_delegation_allocate_nothing() {
    type Arg = Result<u32, &'static str>;
    let count = allocations(|| {
        let inner = async |mut co: Co<'_, u32, Arg>, first: Arg| -> Arg {
            let mut total = first?;
            loop {
                total += co.yield_(total).await?;
            }
        };
        let mut outer = pin!(coroutine(async |mut co: Co<'_, u32, Arg>, first| {
            let _ = co.yield_from(pin!(coroutine(inner)), first).await;
            co.yield_from(pin!(coroutine(inner)), Ok(100)).await
        }));
        assert_eq!(outer.send(1), Yielded(1));
        assert_eq!(outer.send(2), Yielded(3));
        assert_eq!(outer.throw("next"), Yielded(100));
        outer.as_mut().close();
    });
    assert_eq!(count, 0);
}

#[test]
fn interleave_allocates_nothing() {
    let count = allocations(|| {
        let body = async |mut co: Co<'_, u32>| co.yield_all(0..5).await;
        let (a, b) = (pin!(generator(body)), pin!(generator(body)));
        assert_eq!(interleave!(a, b, 0..5).count(), 15);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_boxed_generator_allocates_once() {
    let count = allocations(|| {
        let g = generator(async |mut co: Co<'_, u64>| co.yield_all(0..10).await).boxed();
        assert_eq!(g.count(), 10);
    });
    assert_eq!(count, 1);
}
