//! What other threads may do: call, spawn, wake; while the loop runs, sleeps, closes, or is closed.

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, Barrier, mpsc},
    task::Waker,
    thread,
    time::Duration,
};

use aio::{EventLoop, TaskError};

#[test]
fn a_call_from_another_thread_wakes_the_sleeping_loop() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let handle = event_loop.handle();
    let loop_thread = thread::current().id();
    let (begun, begin) = mpsc::channel();
    event_loop.call_soon(move || begun.send(()).unwrap())?;
    let caller = thread::spawn(move || {
        begin.recv().unwrap();
        handle.call_soon_threadsafe(move || {
            assert_eq!(thread::current().id(), loop_thread);
            aio::get_running_loop().unwrap().stop();
        })
    });
    event_loop.run_forever()?;
    assert_eq!(caller.join().unwrap(), Ok(()));
    Ok(())
}

#[test]
fn calls_from_one_thread_keep_their_order() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let handle = event_loop.handle();
    let (send, receive) = mpsc::channel();
    let caller = thread::spawn(move || {
        for number in 0..10_000 {
            let send = send.clone();
            handle
                .call_soon_threadsafe(move || send.send(number).unwrap())
                .unwrap();
        }
        handle
            .call_soon_threadsafe(|| aio::get_running_loop().unwrap().stop())
            .unwrap();
    });
    event_loop.run_forever()?;
    caller.join().unwrap();
    assert!(receive.iter().eq(0..10_000));
    Ok(())
}

#[test]
fn a_task_spawned_from_another_thread_gives_its_result_there()
-> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let handle = event_loop.handle();
    let caller = thread::spawn(move || {
        let good = handle.spawn_threadsafe(|| async {
            let not_send = Rc::new(20);
            aio::sleep(Duration::from_millis(1)).await;
            *not_send + 1
        });
        let bad = handle.spawn_threadsafe(|| async { panic!("over there") });
        let slow = handle.spawn_threadsafe(|| aio::sleep(Duration::from_secs(3600)));
        assert!(slow.result_for(Duration::from_millis(1)).is_err());
        assert!(slow.cancel());
        let results: (_, Result<(), _>, _) = (good.result(), bad.result(), slow.result());
        handle
            .call_soon_threadsafe(|| aio::get_running_loop().unwrap().stop())
            .unwrap();
        results
    });
    event_loop.run_forever()?;
    let (good, bad, slow) = caller.join().unwrap();
    assert_eq!(good, Ok(21));
    assert!(
        matches!(bad, Err(TaskError::Panicked(panicked)) if panicked.message() == "over there")
    );
    assert!(matches!(slow, Err(TaskError::Cancelled(_))));
    Ok(())
}

#[test]
fn a_blocking_wait_on_the_loops_own_thread_is_an_error() -> Result<(), Box<dyn std::error::Error>> {
    aio::run(async {
        let handle = aio::get_running_loop().unwrap().handle();
        let task = handle.spawn_threadsafe(|| async { 1 });
        assert_eq!(task.result(), Err(TaskError::BlocksLoop));
        assert_eq!(task.await, Ok(1));
    })?;
    Ok(())
}

#[test]
fn a_closing_loop_answers_those_who_wait_for_its_tasks() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let task = event_loop
        .handle()
        .spawn_threadsafe(std::future::pending::<()>);
    event_loop.run_until_complete(aio::yield_now())?;
    let waiter = thread::spawn(move || task.result());
    event_loop.close()?;
    assert_eq!(waiter.join().unwrap(), Err(TaskError::LoopClosed));
    let never_begun = EventLoop::new()?;
    let task = never_begun.handle().spawn_threadsafe(|| async {});
    drop(never_begun);
    assert_eq!(task.result(), Err(TaskError::LoopClosed));
    Ok(())
}

struct DroppedOn(mpsc::Sender<thread::ThreadId>);

impl Drop for DroppedOn {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

#[test]
fn close_drops_every_task_on_the_loops_thread_while_others_wake_them()
-> Result<(), Box<dyn std::error::Error>> {
    const TASKS: usize = 2000;
    let event_loop = EventLoop::new()?;
    let (dropped, drops) = mpsc::channel();
    let (publish, published) = mpsc::channel::<Waker>();
    for _ in 0..TASKS {
        let guard = DroppedOn(dropped.clone());
        let publish = publish.clone();
        event_loop
            .create_task(std::future::poll_fn(move |cx| {
                let _held = &guard;
                publish.send(cx.waker().clone()).unwrap();
                std::task::Poll::<()>::Pending
            }))
            .detach();
    }
    drop((dropped, publish));
    event_loop.run_until_complete(aio::yield_now())?;
    let wakers: Vec<Waker> = published.try_iter().collect();
    assert_eq!(wakers.len(), TASKS);
    let barrier = Arc::new(Barrier::new(2));
    let at_close = barrier.clone();
    let waking = thread::spawn(move || {
        at_close.wait();
        for _ in 0..20 {
            wakers.iter().for_each(Waker::wake_by_ref);
        }
    });
    barrier.wait();
    event_loop.close()?;
    waking.join().unwrap();
    let here = thread::current().id();
    let places: Vec<_> = drops.iter().collect();
    assert_eq!(places.len(), TASKS);
    assert!(places.iter().all(|place| *place == here));
    Ok(())
}

#[test]
fn wakes_and_calls_after_the_close_are_harmless() -> Result<(), Box<dyn std::error::Error>> {
    let (publish, published) = mpsc::channel::<Waker>();
    let polled = Rc::new(Cell::new(0));
    let fill = |event_loop: &EventLoop| {
        for _ in 0..100 {
            let (publish, polled) = (publish.clone(), polled.clone());
            let body = std::future::poll_fn(move |cx| {
                polled.set(polled.get() + 1);
                publish.send(cx.waker().clone()).unwrap();
                std::task::Poll::<()>::Pending
            });
            event_loop.create_task(body).detach();
        }
    };
    let closed = EventLoop::new()?;
    let handle = closed.handle();
    fill(&closed);
    closed.run_until_complete(aio::yield_now())?;
    closed.close()?;
    drop(closed);
    let late: Vec<Waker> = published.try_iter().collect();
    // The next loop's tasks have the same places; the late wakes are not theirs.
    let next = EventLoop::new()?;
    fill(&next);
    next.run_until_complete(aio::yield_now())?;
    assert_eq!((late.len(), polled.get()), (100, 200));
    let waking = thread::spawn(move || {
        late.iter().for_each(Waker::wake_by_ref);
        let refused = handle.call_soon_threadsafe(|| unreachable!("the loop is closed"));
        let task = handle.spawn_threadsafe(|| async {});
        drop(late);
        (refused, task.result())
    });
    let (refused, result) = waking.join().unwrap();
    assert_eq!(refused, Err(aio::LoopClosed));
    assert_eq!(result, Err(TaskError::LoopClosed));
    next.run_until_complete(aio::yield_now())?;
    assert_eq!(polled.get(), 200);
    Ok(())
}

#[test]
fn wakes_between_runs_are_kept() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (send, receive) = tokio::sync::oneshot::channel();
    let mut task = event_loop.create_task(async move { receive.await.unwrap() });
    event_loop.run_until_complete(aio::yield_now())?;
    send.send(5).unwrap();
    assert_eq!(event_loop.run_until_complete(&mut task)?, Ok(5));
    Ok(())
}

#[test]
fn a_destructor_that_panics_or_spawns_does_not_hinder_the_close()
-> Result<(), Box<dyn std::error::Error>> {
    struct Troublesome(Rc<Cell<u32>>);
    impl Drop for Troublesome {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            aio::create_task(async {}).detach();
            panic!("in a destructor");
        }
    }
    let event_loop = EventLoop::new()?;
    let count = Rc::new(Cell::new(0));
    for _ in 0..3 {
        let guard = Troublesome(count.clone());
        event_loop
            .create_task(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            })
            .detach();
    }
    let guard = Troublesome(count.clone());
    event_loop.call_later(Duration::from_secs(3600), move || drop(guard))?;
    event_loop.run_until_complete(aio::yield_now())?;
    event_loop.close()?;
    assert_eq!(count.get(), 4);
    Ok(())
}
