//! `yield_from` stands aside for another coroutine: values, sent values, errors, the close and the result pass through.

use coroutines::{Co, Coroutine, CoroutineExt, CoroutineState::*, coroutine, generator};
use std::cell::Cell;
use std::pin::pin;

type Answer = Result<u32, &'static str>;

#[test]
fn values_pass_both_ways_and_the_result_comes_back() {
    let inner = async |mut co: Co<'_, u32, u32>, first| {
        let second = co.yield_(first + 1).await;
        co.yield_(second + 1).await
    };
    let mut outer = pin!(coroutine(async |mut co: Co<'_, u32, u32>, first| {
        let result = co.yield_from(pin!(coroutine(inner)), first).await;
        co.yield_(result * 100).await
    }));
    assert_eq!(outer.send(1), Yielded(2));
    assert_eq!(outer.send(10), Yielded(11));
    assert_eq!(outer.send(3), Yielded(300));
    assert_eq!(outer.send(4), Complete(4));
}

#[test]
fn a_thrown_error_reaches_the_innermost() {
    let inner =
        async |mut co: Co<'_, &'static str, Answer>, _first| match co.yield_("inner waits").await {
            Ok(_) => "sent",
            Err(error) => error,
        };
    let mut outer = pin!(coroutine(
        async |mut co: Co<'_, &'static str, Answer>, first| {
            let result = co.yield_from(pin!(coroutine(inner)), first).await;
            let _ = co.yield_(result).await;
        }
    ));
    assert_eq!(outer.send(0), Yielded("inner waits"));
    assert_eq!(outer.throw("thrown"), Yielded("thrown"));
}

#[test]
fn an_unhandled_error_ends_both() {
    let inner = async |mut co: Co<'_, (), Answer>, first: Answer| {
        first?;
        loop {
            co.yield_(()).await?;
        }
    };
    let mut outer = pin!(coroutine(
        async |mut co: Co<'_, (), Answer>, first| -> Result<(), &'static str> {
            co.yield_from(pin!(coroutine(inner)), first).await
        }
    ));
    assert_eq!(outer.send(0), Yielded(()));
    assert_eq!(outer.throw("stop"), Complete(Err("stop")));
    assert!(outer.is_finished());
}

#[test]
fn closing_the_outer_closes_a_delegate_that_it_borrowed() {
    let cleaned = Cell::new(0);
    let mut inner = pin!(generator(async |mut co: Co<'_, u8>| {
        struct Clean<'c>(&'c Cell<u32>);
        impl Drop for Clean<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let _clean = Clean(&cleaned);
        co.yield_(1).await;
    }));
    {
        let mut outer = pin!(generator(async |mut co: Co<'_, u8>| co
            .yield_from(inner.as_mut(), ())
            .await));
        assert_eq!(outer.next(), Some(1));
        outer.as_mut().close();
    }
    assert_eq!(cleaned.get(), 1);
    assert!(inner.is_finished());
}

#[test]
fn a_delegate_may_be_boxed_or_written_by_hand() {
    let boxed = generator(async |mut co: Co<'_, u8>| co.yield_all([1, 2]).await).boxed();
    let outer = pin!(generator(async |mut co: Co<'_, u8>| {
        co.yield_from(boxed, ()).await;
        co.yield_all([3, 4]).await;
    }));
    assert_eq!(outer.collect::<Vec<_>>(), [1, 2, 3, 4]);
}
