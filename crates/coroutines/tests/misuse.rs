//! What the compiler cannot reject says what happened, and leaves a finished coroutine behind.

use coroutines::{
    Co, Coroutine, CoroutineState::*, Rec, ResumeError, coroutine, generator, recursive,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

/// The text of the panic that `f` ends in.
fn panic_text<T>(f: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f))
        .err()
        .expect("this must panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast::<&str>()
            .map(|text| text.to_string())
            .unwrap_or_default(),
    }
}

#[test]
fn awaiting_a_foreign_future_is_an_error_and_finishes() {
    let mut g = pin!(generator(async |_: Co<'_, u8>| std::future::pending::<()>(
    )
    .await));
    assert_eq!(g.as_mut().try_resume(()), Err(ResumeError::ForeignAwait));
    assert!(g.is_finished());
    assert_eq!(g.next(), None);
}

#[test]
fn awaiting_a_foreign_future_panics_in_resume_and_next() {
    let body = async |_: Co<'_, u8>| std::future::pending::<()>().await;
    let mut g = generator(body).boxed();
    let text = panic_text(|| g.next());
    assert!(text.contains("not a `yield_` of its own handle"), "{text}");
    assert!(g.is_finished());
    let mut g = pin!(generator(body));
    let text = panic_text(|| g.as_mut().resume(()));
    assert!(text.contains("use `async_generator`"), "{text}");
}

#[test]
fn resuming_a_finished_one_panics_with_advice() {
    let mut g = generator(async |_: Co<'_, u8>| ()).boxed();
    assert_eq!(g.next(), None);
    let text = panic_text(|| g.resume(()));
    assert!(text.contains("`try_resume`"), "{text}");
}

#[test]
fn a_handle_awaited_in_another_coroutine_panics() {
    // The inner one yields through the outer one's handle: other types, other number.
    let mut outer = pin!(generator(async |mut co: Co<'_, [u64; 4]>| {
        let mut inner = pin!(generator(async |_: Co<'_, String>| co.yield_([1; 4]).await));
        let _ = inner.as_mut().resume(());
    }));
    let text = panic_text(|| outer.as_mut().resume(()));
    assert!(text.contains("outside its own coroutine"), "{text}");
    assert!(outer.is_finished());
}

#[test]
fn a_waker_of_ones_own_around_a_yield_panics() {
    let mut g = pin!(generator(async |mut co: Co<'_, u8>| {
        let mut yielding = co.yield_(1);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = std::pin::Pin::new(&mut yielding).poll(&mut cx);
    }));
    let text = panic_text(|| g.as_mut().resume(()));
    assert!(text.contains("a waker of its own"), "{text}");
}

#[test]
fn a_waker_kept_after_the_resume_leads_nowhere() {
    use std::task::{Context, Poll};

    let mut kept = None;
    let mut g = generator(async |mut co: Co<'_, u8>| {
        std::future::poll_fn(|cx: &mut Context<'_>| {
            kept = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        co.yield_(1).await;
        co.yield_(2).await;
    })
    .boxed();
    assert_eq!(g.next(), Some(1));
    assert_eq!(g.next(), Some(2));
    drop(g);
    kept.expect("the body has stored it").wake();
}

/// Polls a future twice in each poll, as a combinator does that polls a child once more when another child is ready.
struct Twice<F>(F);

impl<F: Future + Unpin> Future for Twice<F> {
    type Output = F::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<F::Output> {
        let mut inner = std::pin::Pin::new(&mut self.0);
        match inner.as_mut().poll(cx) {
            std::task::Poll::Pending => inner.poll(cx),
            ready => ready,
        }
    }
}

#[test]
fn a_yield_polled_twice_in_a_resume_waits_for_the_next_resume() {
    let mut g = pin!(generator(async |mut co: Co<'_, u8>| {
        Twice(co.yield_(1)).await;
        Twice(co.yield_(2)).await;
        "end"
    }));
    assert_eq!(g.as_mut().resume(()), Yielded(1));
    assert_eq!(g.as_mut().resume(()), Yielded(2));
    assert_eq!(g.as_mut().resume(()), Complete("end"));
}

#[test]
fn a_yield_is_answered_by_the_resume_after_it() {
    let mut g = pin!(coroutine(async |mut co: Co<'_, u8, u8>, first| {
        assert_eq!(first, 10);
        let mut loser = co.yield_(1);
        let mut resumes = 0;
        std::future::poll_fn(|cx| {
            resumes += 1;
            if resumes == 2 {
                // Another branch is ready first: nothing takes the answer to 1.
                return std::task::Poll::Ready(());
            }
            std::pin::Pin::new(&mut loser).poll(cx).map(drop)
        })
        .await;
        Twice(co.yield_(2)).await
    }));
    assert_eq!(g.as_mut().resume(10), Yielded(1));
    assert_eq!(g.as_mut().resume(20), Yielded(2));
    assert_eq!(g.as_mut().resume(30), Complete(30));
}

#[test]
fn a_call_that_is_polled_twice_brings_its_value() {
    async fn sum(mut co: Rec<'_, u32>, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        Twice(Box::pin(async { co.yield_(n).await })).await;
        n + Twice(Box::pin(co.call_value(|co| sum(co, n - 1)))).await
    }
    let mut g = recursive(|co| sum(co, 3));
    assert_eq!(g.by_ref().collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(g.take_return(), Some(6));
}
