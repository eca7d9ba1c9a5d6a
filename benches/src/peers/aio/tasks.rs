//! Callbacks, tasks, turns and timers.

use std::cell::Cell;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;

use super::{Figures, tokio};
use crate::peers::{Contest, Row, Target};

const CALLS: usize = 1000;
const BATCHES: usize = 200;
const ONE_BY_ONE: usize = 100_000;
const AT_ONCE: usize = 10_000;
const TASKS: usize = 100;
const TURNS: usize = 1000;
const SLEEPS: usize = 100_000;
const LONG: Duration = Duration::from_secs(3600);

/// Rows for what a loop does without sockets.
pub fn rows(rounds: usize, python: &Figures) -> Vec<Row> {
    let figure = |name: &str| python.get(name).copied();
    let mut rows = Contest::new("aio", "call_soon, batches of 1000")
        .entrant("ours", ours_call_soon)
        .fixed("asyncio", figure("call_soon"))
        .fixed("uvloop", figure("uvloop/call_soon"))
        .goal("ours", &[], Target::Absolute(40.0))
        .goal("ours", &["asyncio"], Target::Ratio(1.0 / 14.0))
        .goal("ours", &["uvloop"], Target::Ratio(1.0 / 6.0))
        .run(rounds);
    rows.extend(
        Contest::new("aio", "spawn and await, one at a time")
            .entrant("ours", ours_one_by_one)
            .entrant("tokio current-thread", tokio_one_by_one)
            .entrant("async-executor", executor_one_by_one)
            .fixed("asyncio", figure("spawn"))
            .goal("ours", &["tokio current-thread"], Target::Ratio(0.22))
            .goal("ours", &["async-executor"], Target::Ratio(0.9))
            .goal("ours", &["asyncio"], Target::Ratio(1.0 / 45.0))
            .run(rounds),
    );
    rows.extend(
        Contest::new("aio", "spawn 10,000, await all")
            .entrant("ours", ours_at_once)
            .entrant("tokio current-thread", tokio_at_once)
            .entrant("async-executor", executor_at_once)
            .fixed("asyncio", figure("batch"))
            .goal("ours", &["tokio current-thread"], Target::Ratio(0.22))
            .goal("ours", &["async-executor"], Target::Ratio(0.9))
            .goal("ours", &["asyncio"], Target::Ratio(1.0 / 45.0))
            .run(rounds),
    );
    rows.extend(
        Contest::new("aio", "yield to the loop, 100 tasks")
            .entrant("ours", ours_yields)
            .entrant("tokio current-thread", tokio_yields)
            .fixed("asyncio sleep(0)", figure("yield"))
            .goal("ours", &["tokio current-thread"], Target::Ratio(0.7))
            .goal("ours", &["asyncio sleep(0)"], Target::Ratio(1.0 / 40.0))
            .run(rounds),
    );
    rows.extend(
        Contest::new("aio", "sleep, created and cancelled")
            .entrant("ours", ours_sleeps)
            .entrant("tokio current-thread", tokio_sleeps)
            .goal("ours", &["tokio current-thread"], Target::Ratio(0.4))
            .run(rounds),
    );
    rows
}

/// Nanoseconds for each of `n`.
async fn time(n: usize, body: impl AsyncFnOnce()) -> f64 {
    let start = Instant::now();
    body().await;
    start.elapsed().as_nanos() as f64 / n as f64
}

fn on_loop(n: usize, body: impl AsyncFnOnce()) -> f64 {
    aio::run(time(n, body)).expect("a loop")
}

fn on_tokio(n: usize, body: impl AsyncFnOnce()) -> f64 {
    tokio().block_on(time(n, body))
}

fn ours_call_soon() -> f64 {
    on_loop(CALLS * BATCHES, async || {
        let event_loop = aio::get_running_loop().expect("this one");
        let called = Rc::new(Cell::new(0));
        for _ in 0..BATCHES {
            for _ in 0..CALLS {
                let called = called.clone();
                let count = move || called.set(called.get() + 1);
                event_loop.call_soon(count).expect("it is open");
            }
            aio::yield_now().await;
        }
        assert_eq!(called.get(), CALLS * BATCHES);
    })
}

fn ours_one_by_one() -> f64 {
    on_loop(ONE_BY_ONE, async || {
        for n in 0..ONE_BY_ONE {
            black_box(aio::create_task(async move { n }).await.expect("a value"));
        }
    })
}

fn tokio_one_by_one() -> f64 {
    on_tokio(ONE_BY_ONE, async || {
        for n in 0..ONE_BY_ONE {
            black_box(tokio::spawn(async move { n }).await.expect("a value"));
        }
    })
}

fn executor_one_by_one() -> f64 {
    let executor = LocalExecutor::new();
    futures_lite::future::block_on(executor.run(time(ONE_BY_ONE, async || {
        for n in 0..ONE_BY_ONE {
            black_box(executor.spawn(async move { n }).await);
        }
    })))
}

fn ours_at_once() -> f64 {
    on_loop(AT_ONCE, async || {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|n| aio::create_task(async move { n }))
            .collect();
        for task in tasks {
            black_box(task.await.expect("a value"));
        }
    })
}

fn tokio_at_once() -> f64 {
    on_tokio(AT_ONCE, async || {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|n| tokio::spawn(async move { n }))
            .collect();
        for task in tasks {
            black_box(task.await.expect("a value"));
        }
    })
}

fn executor_at_once() -> f64 {
    let executor = LocalExecutor::new();
    futures_lite::future::block_on(executor.run(time(AT_ONCE, async || {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|n| executor.spawn(async move { n }))
            .collect();
        for task in tasks {
            black_box(task.await);
        }
    })))
}

fn ours_yields() -> f64 {
    on_loop(TASKS * TURNS, async || {
        let turns = async || {
            for _ in 0..TURNS {
                aio::yield_now().await;
            }
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| aio::create_task(turns())).collect();
        for task in tasks {
            task.await.expect("an end");
        }
    })
}

fn tokio_yields() -> f64 {
    on_tokio(TASKS * TURNS, async || {
        let turns = async || {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(turns())).collect();
        for task in tasks {
            task.await.expect("an end");
        }
    })
}

/// Polls a future once and drops it.
async fn begin_and_cancel(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

fn ours_sleeps() -> f64 {
    on_loop(SLEEPS, async || {
        for _ in 0..SLEEPS {
            begin_and_cancel(aio::sleep(LONG)).await;
        }
    })
}

fn tokio_sleeps() -> f64 {
    on_tokio(SLEEPS, async || {
        for _ in 0..SLEEPS {
            begin_and_cancel(tokio::time::sleep(LONG)).await;
        }
    })
}
