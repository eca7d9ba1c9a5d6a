//! Generators that await: as streams, with arguments, left in the middle, closed early.

use coroutines::{
    Co, CoroutineState::*, ExecutionState, Ignored, ResumeError, async_coroutine, async_generator,
};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use std::cell::Cell;
use std::future::{poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for one poll, and wakes its task meanwhile.
async fn pause() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls to the end; everything here is ready or wakes at once.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..1000 {
        if let Poll::Ready(value) = poll(future.as_mut()) {
            return value;
        }
    }
    panic!("still pending after a thousand polls")
}

fn items<S: Stream>(mut stream: Pin<&mut S>) -> Vec<S::Item> {
    let mut seen = Vec::new();
    while let Some(item) = block_on(poll_fn(|cx| stream.as_mut().poll_next(cx))) {
        seen.push(item);
    }
    seen
}

#[test]
fn it_yields_and_awaits_in_any_order() {
    let mut stream = pin!(async_generator(async |mut co: Co<'_, u32>| {
        pause().await;
        co.yield_(1).await;
        co.yield_(2).await;
        pause().await;
        pause().await;
        co.yield_(3).await;
        pause().await;
        "end"
    }));
    assert_eq!(items(stream.as_mut()), [1, 2, 3]);
    assert!(stream.is_terminated());
    assert_eq!(stream.as_mut().take_return(), Some("end"));
    assert_eq!(items(stream.as_mut()), []);
}

#[test]
fn a_wait_inside_wakes_the_task_outside() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    let kept = Cell::new(None);
    let mut stream = pin!(async_generator(async |mut co: Co<'_, ()>| {
        pause().await;
        kept.set(Some(poll_fn(|cx| Poll::Ready(cx.waker().clone())).await));
        co.yield_(()).await;
    }));
    assert_eq!(stream.as_mut().poll_next(&mut cx), Poll::Pending);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(stream.as_mut().poll_next(&mut cx), Poll::Ready(Some(())));
    // A clone outlives the poll, and even the stream: it is the task's own waker.
    let clone = kept.take().expect("the body has stored it");
    // `will_wake` compares addresses of tables that the compiler makes of `impl Wake`. They are not unique: Miri gives each
    // use one of its own.
    assert!(cfg!(miri) || clone.will_wake(&waker));
    clone.wake();
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
}

#[test]
fn the_argument_survives_a_wait() {
    let mut echo = pin!(async_coroutine(
        async |mut co: Co<'_, String, String>, first: String| {
            let mut word = first;
            loop {
                pause().await;
                // The yield waits together with something else, which is ready later than the answer comes.
                let mut answer = pin!(co.yield_(word));
                let mut wait = pin!(pause());
                let mut waited = false;
                word = poll_fn(|cx| {
                    waited = waited || wait.as_mut().poll(cx).is_ready();
                    if !waited {
                        Poll::Pending
                    } else {
                        answer.as_mut().poll(cx)
                    }
                })
                .await;
            }
        }
    ));
    for word in ["a", "b", "c"] {
        assert_eq!(
            block_on(echo.as_mut().resume(word.into())),
            Yielded::<_, ()>(word.into())
        );
    }
}

#[test]
fn a_step_whose_future_was_dropped_can_be_settled() {
    let mut echo = pin!(async_coroutine(async |mut co: Co<'_, u8, u8>, first| {
        let mut n = first;
        loop {
            pause().await;
            n = co.yield_(n).await;
        }
    }));
    assert!(block_on(echo.as_mut().settle()).is_none());
    assert!(poll(pin!(echo.as_mut().resume(1))).is_pending());
    assert_eq!(
        block_on(echo.as_mut().try_resume(2)),
        Err::<coroutines::CoroutineState<_, ()>, _>(ResumeError::AlreadyExecuting(2))
    );
    assert_eq!(block_on(echo.as_mut().settle()), Some(Yielded(1)));
    assert_eq!(block_on(echo.as_mut().resume(3)), Yielded(3));
}

#[test]
fn a_dropped_next_loses_no_item() {
    let mut stream = pin!(async_generator(async |mut co: Co<'_, u32>| {
        for n in 0..3 {
            pause().await;
            co.yield_(n).await;
        }
    }));
    let mut seen = Vec::new();
    loop {
        // Each future is polled once and dropped, as by a timeout.
        match poll(pin!(poll_fn(|cx| stream.as_mut().poll_next(cx)))) {
            Poll::Ready(Some(n)) => seen.push(n),
            Poll::Ready(None) => break,
            Poll::Pending => {}
        }
    }
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn an_early_close_cleans_up_once() {
    struct Bell<'c>(&'c Cell<u32>);
    impl Drop for Bell<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    let mut stream = pin!(async_generator(async |mut co: Co<'_, ()>| {
        let _bell = Bell(&drops);
        co.yield_(()).await;
        pause().await;
    }));
    assert_eq!(
        block_on(poll_fn(|cx| stream.as_mut().poll_next(cx))),
        Some(())
    );
    stream.as_mut().close();
    stream.as_mut().close();
    assert_eq!(drops.get(), 1);
    assert_eq!(items(stream), []);
}

#[test]
fn close_with_lets_the_body_await_its_clean_up() {
    type Arg = Result<(), &'static str>;
    let mut tidy = pin!(async_coroutine(
        async |mut co: Co<'_, u8, Arg>, _first: Arg| {
            let mut n = 0;
            while co.yield_(n).await.is_ok() {
                n += 1;
            }
            pause().await;
            ready(n).await
        }
    ));
    assert_eq!(block_on(tidy.as_mut().resume(Ok(()))), Yielded(0));
    assert_eq!(block_on(tidy.as_mut().resume(Ok(()))), Yielded(1));
    assert_eq!(block_on(tidy.as_mut().close_with("stop")), Ok(Some(1)));
    assert_eq!(block_on(tidy.as_mut().close_with("stop")), Ok(None));

    let mut stubborn = pin!(async_coroutine(
        async |mut co: Co<'_, u8, Arg>, _first: Arg| {
            loop {
                let _ = co.yield_(9).await;
            }
        }
    ));
    assert_eq!(
        block_on(stubborn.as_mut().resume(Ok(()))),
        Yielded::<_, ()>(9)
    );
    assert_eq!(
        block_on(stubborn.as_mut().close_with("stop")),
        Err(Ignored(9))
    );
    assert!(stubborn.is_finished());
}

#[test]
fn a_panic_finishes_it() {
    let mut stream = pin!(async_generator(async |_: Co<'_, ()>| {
        pause().await;
        panic!("the body's own");
    }));
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| items(stream.as_mut())));
    assert!(end.is_err());
    assert!(stream.is_terminated());
    assert_eq!(items(stream), []);
}

#[test]
fn it_may_run_on_another_thread() {
    let stream = async_generator(async |mut co: Co<'_, u32>| {
        let list = [1, 2, 3];
        for n in &list {
            pause().await;
            co.yield_(*n).await;
        }
    });
    let seen = std::thread::spawn(move || items(pin!(stream))).join();
    assert_eq!(seen.ok(), Some(vec![1, 2, 3]));
}

#[test]
fn a_destructor_that_panics_on_close_leaves_it_finished_and_no_step_under_way() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("the destructor's own");
        }
    }
    let mut g = pin!(async_coroutine(async |mut co: Co<'_, u8, u8>, first| {
        let _bomb = Bomb;
        pause().await;
        co.yield_(first).await;
    }));
    assert!(poll(pin!(g.as_mut().resume(1))).is_pending());
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| g.as_mut().close()));
    assert!(end.is_err());
    assert!(g.is_finished());
    assert!(block_on(g.as_mut().settle()).is_none());
}

#[test]
fn the_state_says_running_while_a_step_is_under_way() {
    let mut echo = pin!(async_coroutine(async |mut co: Co<'_, u8, u8>, first| {
        pause().await;
        co.yield_(first).await;
    }));
    assert_eq!(echo.state(), ExecutionState::Created);
    assert!(poll(pin!(echo.as_mut().resume(1))).is_pending());
    assert_eq!(echo.state(), ExecutionState::Running);
    assert_eq!(block_on(echo.as_mut().settle()), Some(Yielded(1)));
    assert_eq!(echo.state(), ExecutionState::Suspended);
    echo.as_mut().close();
    assert_eq!(echo.state(), ExecutionState::Finished);
}

#[test]
fn the_state_of_a_stream_says_running_while_an_item_is_on_its_way() {
    let mut stream = pin!(async_generator(async |mut co: Co<'_, u8>| {
        pause().await;
        co.yield_(1).await;
    }));
    assert!(poll(pin!(poll_fn(|cx| stream.as_mut().poll_next(cx)))).is_pending());
    assert_eq!(stream.state(), ExecutionState::Running);
    // No step of a resume is under way: the next item is the one on its way.
    assert!(block_on(stream.as_mut().settle()).is_none());
    assert_eq!(items(stream.as_mut()), [1]);
    assert_eq!(stream.state(), ExecutionState::Finished);
}
