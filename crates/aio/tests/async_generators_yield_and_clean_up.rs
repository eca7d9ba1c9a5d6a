//! Async generators: what they yield, when their bodies run, and how they end.

use std::{
    cell::{Cell, RefCell},
    future::pending,
    rc::Rc,
    time::Duration,
};

use aio::{AsyncGenerator, Yielder, async_generator, sleep, yield_now};

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop<T>(test: impl AsyncFnOnce() -> T) -> T {
    aio::run(aio::wait_for(test(), PATIENCE)).unwrap().unwrap()
}

type Log = Rc<RefCell<Vec<&'static str>>>;

struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

/// Yields numbers for ever; notes what happens at its end.
fn guarded(log: &Log) -> AsyncGenerator<u32> {
    let (own, first, second) = (log.clone(), log.clone(), log.clone());
    async_generator(async move |co: Yielder<u32>| {
        let _one = co.on_close(async move {
            yield_now().await;
            first.borrow_mut().push("first registered");
        });
        let _two = co.on_close(async move {
            sleep(Duration::from_millis(2)).await;
            second.borrow_mut().push("second registered");
        });
        let _body = Says(own, "body dropped");
        for number in 0.. {
            co.yield_(number).await;
        }
    })
}

const WHOLE_END: [&str; 3] = ["body dropped", "second registered", "first registered"];

#[test]
fn values_come_in_order_and_the_body_runs_only_when_asked() {
    on_loop(async || {
        let steps = Rc::new(Cell::new(0));
        let counted = steps.clone();
        let mut numbers = async_generator(async move |co: Yielder<u32>| {
            for number in 1..=3 {
                counted.set(number);
                yield_now().await;
                co.yield_(number * 10).await;
            }
        });
        yield_now().await;
        assert_eq!(steps.get(), 0, "it begins with the first next");
        assert_eq!(numbers.next().await, Some(10));
        yield_now().await;
        assert_eq!(steps.get(), 1);
        let mut rest = Vec::new();
        while let Some(number) = numbers.next().await {
            rest.push(number);
        }
        assert_eq!(rest, [20, 30]);
        assert!(numbers.is_ended() && numbers.next().await.is_none());
        numbers.close().await;
    });
}

#[test]
fn a_next_that_is_given_up_loses_nothing() {
    on_loop(async || {
        let (go_on, late) = aio::create_future();
        let mut slow = async_generator(async move |co: Yielder<&str>| {
            late.await.unwrap();
            co.yield_("late").await;
        });
        assert!(
            aio::wait_for(slow.next(), Duration::from_millis(2))
                .await
                .is_err()
        );
        go_on.set(());
        assert_eq!(slow.next().await, Some("late"));
        assert_eq!(slow.next().await, None);
    });
}

#[test]
fn close_drops_the_body_then_runs_what_it_registered_the_latest_first() {
    let log = Log::default();
    on_loop(async || {
        let mut numbers = guarded(&log);
        assert_eq!(numbers.next().await, Some(0));
        numbers.close().await;
        assert_eq!(*log.borrow(), WHOLE_END);
        assert_eq!(numbers.next().await, None);
        numbers.close().await;
    });
    assert_eq!(log.borrow().len(), 3, "nothing happens twice");
}

#[test]
fn a_close_that_is_given_up_still_cleans_up() {
    let log = Log::default();
    on_loop(async || {
        let mut numbers = guarded(&log);
        numbers.next().await;
        assert!(
            aio::wait_for(numbers.close(), Duration::ZERO)
                .await
                .is_err()
        );
        while log.borrow().len() < 3 {
            yield_now().await;
        }
    });
    assert_eq!(*log.borrow(), WHOLE_END);
}

#[test]
fn one_that_was_abandoned_is_cleaned_up_also_at_the_end_of_the_run() {
    let log = Log::default();
    on_loop(async || {
        let mut numbers = guarded(&log);
        numbers.next().await;
        // Dropped with this future.
    });
    assert_eq!(*log.borrow(), WHOLE_END);

    log.borrow_mut().clear();
    on_loop(async || {
        let mut numbers = guarded(&log);
        aio::create_task(async move {
            numbers.next().await;
            pending::<()>().await;
        })
        .detach();
        yield_now().await;
        // Cancelled with its task when the run winds up.
    });
    assert_eq!(*log.borrow(), WHOLE_END);
}

#[test]
fn one_that_never_began_or_has_ended_has_nothing_to_clean_up() {
    let log = Log::default();
    on_loop(async || {
        drop(guarded(&log));
        let mut ended = async_generator({
            let log = log.clone();
            async move |co: Yielder<()>| {
                let _guard = co.on_close(async move { log.borrow_mut().push("must not run") });
                co.yield_(()).await;
            }
        });
        while ended.next().await.is_some() {}
        ended.close().await;
    });
    assert!(log.borrow().is_empty(), "{log:?}");
}

#[test]
fn a_panic_in_the_body_reaches_who_asked_and_ends_it() {
    on_loop(async || {
        let mut failing = async_generator(async |co: Yielder<u32>| {
            co.yield_(1).await;
            panic!("as asked");
        });
        assert_eq!(failing.next().await, Some(1));
        let asking = aio::create_task(async move {
            failing.next().await;
        });
        let Err(aio::TaskError::Panicked(panicked)) = asking.await else {
            panic!("it has to panic");
        };
        assert_eq!(panicked.message(), "as asked");
    });
}

#[test]
fn parts_of_a_body_may_yield_at_the_same_time() {
    on_loop(async || {
        let mut merged = async_generator(async |co: Yielder<u32>| {
            let count = async |start: u32| {
                for number in start..start + 3 {
                    co.yield_(number).await;
                }
                Ok::<(), ()>(())
            };
            aio::gather([count(0), count(10)]).await.unwrap();
        });
        let mut all = Vec::new();
        while let Some(number) = merged.next().await {
            all.push(number);
        }
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 10, 11, 12]);
    });
}

#[cfg(feature = "stream")]
#[test]
fn it_is_a_stream() {
    use futures_core::Stream;
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    let mut numbers = async_generator(async |co: Yielder<u32>| co.yield_(7).await);
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = || Stream::poll_next(Pin::new(&mut numbers), &mut cx);
    assert_eq!(poll(), Poll::Ready(Some(7)));
    assert_eq!(poll(), Poll::Ready(None));
}
