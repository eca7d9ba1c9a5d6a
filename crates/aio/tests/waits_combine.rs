//! gather, gather_settled, wait_for, sleep: their rules at the edges.

use std::{
    cell::{Cell, RefCell},
    future::pending,
    rc::Rc,
    sync::mpsc,
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use aio::{TimedOut, create_task, gather, gather_settled, sleep, wait_for};

#[test]
fn gather_keeps_the_order_of_its_arguments() -> Result<(), aio::RunError> {
    let values = aio::run(gather([3u64, 1, 2].map(async |millis| {
        sleep(Duration::from_millis(millis)).await;
        Ok::<u64, TimedOut>(millis)
    })))?;
    assert_eq!(values, Ok(vec![3, 1, 2]));
    let nothing: [std::future::Ready<Result<u8, TimedOut>>; 0] = [];
    assert_eq!(aio::run(gather(nothing))?, Ok(vec![]));
    Ok(())
}

#[test]
fn gather_ends_with_the_first_error_and_leaves_no_sibling() -> Result<(), aio::RunError> {
    struct Count<'a>(&'a Cell<u32>);
    impl Drop for Count<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Cell::new(0);
    aio::run(async {
        let outcome = gather((0..3).map(async |number| {
            let _guard = Count(&dropped);
            if number == 1 {
                sleep(Duration::from_millis(1)).await;
                return Err(number);
            }
            pending::<Result<(), i32>>().await
        }))
        .await;
        assert_eq!(outcome, Err(1));
        assert_eq!(dropped.get(), 3, "before gather returns");

        let tasks: Vec<_> = (0..2).map(|_| create_task(pending::<()>())).collect();
        let references: Vec<_> = tasks.iter().filter_map(|task| task.reference()).collect();
        let failing = create_task(async { panic!("first") });
        assert!(gather(tasks.into_iter().chain([failing])).await.is_err());
        aio::yield_now().await;
        assert!(
            references.iter().all(|task| task.is_done()),
            "tasks given by value are cancelled"
        );
    })
}

#[test]
fn gather_settled_gives_errors_among_the_outputs() -> Result<(), aio::RunError> {
    let outputs = aio::run(async {
        let tasks = [
            create_task(async { 1 }),
            create_task(async { panic!("no") }),
            create_task(async { 3 }),
        ];
        gather_settled(tasks).await
    })?;
    assert_eq!((&outputs[0], &outputs[2]), (&Ok(1), &Ok(3)));
    assert!(matches!(outputs[1], Err(aio::TaskError::Panicked(_))));
    Ok(())
}

#[test]
fn ten_thousand_children_are_woken_one_by_one_at_no_growing_cost() -> Result<(), aio::RunError> {
    const COUNT: usize = 10_000;
    let polls = Rc::new(Cell::new(0));
    let (wakers, outcome) = (
        Rc::new(RefCell::new(Vec::<Waker>::new())),
        Rc::new(Cell::new(0)),
    );
    aio::run(async {
        let children = (0..COUNT).map(|_| {
            let (polls, wakers) = (polls.clone(), wakers.clone());
            let mut first = true;
            std::future::poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                if std::mem::replace(&mut first, false) {
                    wakers.borrow_mut().push(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
        });
        let all = gather_settled(children);
        let waking = {
            let wakers = wakers.clone();
            create_task(async move {
                for number in 0..COUNT {
                    let waker = wakers.borrow()[number].clone();
                    waker.wake();
                    aio::yield_now().await;
                }
            })
        };
        outcome.set(all.await.len());
        waking.await.unwrap();
    })?;
    assert_eq!(outcome.get(), COUNT);
    assert_eq!(
        polls.get(),
        2 * COUNT,
        "a wake polls the child it is for and no other"
    );
    Ok(())
}

#[test]
fn wait_for_prefers_a_ready_result_to_the_clock() -> Result<(), aio::RunError> {
    aio::run(async {
        assert_eq!(wait_for(async { 1 }, Duration::ZERO).await, Ok(1));
        assert_eq!(
            wait_for(pending::<()>(), Duration::ZERO).await,
            Err(TimedOut)
        );
        let both = wait_for(sleep(Duration::from_millis(2)), Duration::from_millis(2));
        thread::sleep(Duration::from_millis(5));
        assert_eq!(both.await, Ok(()), "both are due: the result wins");
    })
}

#[test]
fn wait_for_drops_what_it_waits_for_and_passes_inner_timeouts_through() -> Result<(), aio::RunError>
{
    aio::run(async {
        let inner = wait_for(pending::<()>(), Duration::from_millis(1));
        assert_eq!(
            wait_for(inner, Duration::from_secs(60)).await,
            Ok(Err(TimedOut))
        );
        let outer = wait_for(
            wait_for(pending::<()>(), Duration::from_secs(60)),
            Duration::from_millis(1),
        );
        assert_eq!(outer.await, Err(TimedOut));
        let task = create_task(pending::<()>());
        let reference = task.reference().unwrap();
        assert_eq!(
            wait_for(task, Duration::from_millis(1)).await.err(),
            Some(TimedOut)
        );
        aio::yield_now().await;
        assert!(reference.is_done());
    })
}

#[test]
fn sleeping_outside_a_loop_neither_panics_nor_hangs() {
    struct Ring(mpsc::Sender<()>);
    impl Wake for Ring {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.send(()).unwrap();
        }
    }
    let (send, receive) = mpsc::channel();
    let waker = Waker::from(std::sync::Arc::new(Ring(send)));
    let mut cx = Context::from_waker(&waker);
    let begin = Instant::now();
    let mut nap = std::pin::pin!(sleep(Duration::from_millis(5)));
    assert!(nap.as_mut().poll(&mut cx).is_pending());
    receive.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(nap.as_mut().poll(&mut cx).is_ready());
    assert!(begin.elapsed() >= Duration::from_millis(5));
    let mut dropped = Box::pin(sleep(Duration::from_secs(3600)));
    assert!(dropped.as_mut().poll(&mut cx).is_pending());
    drop(dropped);
}

#[test]
fn a_sleep_wakes_the_task_that_polled_it_last() -> Result<(), aio::RunError> {
    aio::run(async {
        let mut nap = Box::pin(sleep(Duration::from_millis(3)));
        assert!(
            std::future::poll_fn(|cx| Poll::Ready(nap.as_mut().poll(cx)))
                .await
                .is_pending()
        );
        let task = create_task(nap);
        assert_eq!(wait_for(task, Duration::from_secs(10)).await, Ok(Ok(())));
    })
}
