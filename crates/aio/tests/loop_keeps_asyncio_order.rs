//! Callbacks, timers and tasks run in asyncio's order, and the loop's states are what asyncio's are.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use aio::{EventLoop, RunError};

type Log = Rc<RefCell<Vec<&'static str>>>;

fn log() -> (Log, impl Fn(&'static str) + Clone) {
    let log = Log::default();
    let writer = log.clone();
    (log, move |line| writer.borrow_mut().push(line))
}

#[test]
fn callbacks_run_first_come_first_served() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    for line in ["a", "b", "c"] {
        let write = write.clone();
        event_loop.call_soon(move || write(line))?;
    }
    event_loop.stop();
    event_loop.run_forever()?;
    assert_eq!(*log.borrow(), ["a", "b", "c"]);
    Ok(())
}

#[test]
fn what_a_callback_schedules_waits_for_the_next_iteration() -> Result<(), Box<dyn std::error::Error>>
{
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    let (inner, later) = (event_loop.clone(), write.clone());
    event_loop.call_soon(move || {
        later("first");
        let write = later.clone();
        inner
            .call_soon(move || write("scheduled by first"))
            .unwrap();
    })?;
    event_loop.call_soon(move || write("second"))?;
    event_loop.stop();
    event_loop.run_forever()?;
    assert_eq!(
        *log.borrow(),
        ["first", "second"],
        "stop before the run means exactly one iteration"
    );
    event_loop.stop();
    event_loop.run_forever()?;
    assert_eq!(*log.borrow(), ["first", "second", "scheduled by first"]);
    Ok(())
}

#[test]
fn stop_lets_the_present_batch_finish() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    let inner = event_loop.clone();
    event_loop.call_soon(move || inner.stop())?;
    event_loop.call_soon(move || write("after stop"))?;
    event_loop.run_forever()?;
    assert_eq!(*log.borrow(), ["after stop"]);
    Ok(())
}

#[test]
fn a_cancelled_handle_never_runs() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    let (soon, later) = (write.clone(), write.clone());
    let handle = event_loop.call_soon(move || soon("soon"))?;
    let timer = event_loop.call_later(Duration::ZERO, move || later("later"))?;
    assert!(handle.cancel() && timer.cancel());
    assert!(
        !handle.cancel() && !timer.cancel(),
        "the second time there is nothing to cancel"
    );
    assert!(handle.is_cancelled() && timer.is_cancelled());
    event_loop.call_soon(move || write("kept"))?;
    event_loop.run_until_complete(aio::sleep(Duration::from_millis(2)))?;
    assert_eq!(*log.borrow(), ["kept"]);
    Ok(())
}

#[test]
fn timers_fire_by_deadline_and_ties_by_age() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    let now = event_loop.time();
    for (millis, line) in [
        (6, "late"),
        (3, "tie 1"),
        (3, "tie 2"),
        (1, "early"),
        (3, "tie 3"),
    ] {
        let write = write.clone();
        event_loop.call_at(now + Duration::from_millis(millis), move || write(line))?;
    }
    event_loop.run_until_complete(aio::sleep(Duration::from_millis(12)))?;
    assert_eq!(*log.borrow(), ["early", "tie 1", "tie 2", "tie 3", "late"]);
    Ok(())
}

#[test]
fn a_timer_in_the_past_is_due_in_the_next_iteration() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    let past = event_loop.time() - Duration::from_secs(1);
    let timer = write.clone();
    event_loop.call_at(past, move || timer("timer"))?;
    event_loop.call_soon(move || write("soon"))?;
    event_loop.stop();
    event_loop.run_forever()?;
    assert_eq!(
        *log.borrow(),
        ["soon", "timer"],
        "timers that are due join the end of the queue"
    );
    Ok(())
}

#[test]
fn many_cancelled_timers_leave_the_rest_in_order() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let log = Rc::new(RefCell::new(Vec::new()));
    let now = event_loop.time();
    let timers: Vec<_> = (0..1000u64)
        .map(|number| {
            let log = log.clone();
            let when = now + Duration::from_micros(1000 - number);
            event_loop.call_at(when, move || log.borrow_mut().push(number))
        })
        .collect::<Result<_, _>>()?;
    for (number, timer) in timers.iter().enumerate() {
        if number % 10 != 0 {
            assert!(timer.cancel());
        }
    }
    event_loop.run_until_complete(aio::sleep(Duration::from_millis(3)))?;
    let expected: Vec<u64> = (0..100).rev().map(|number| number * 10).collect();
    assert_eq!(*log.borrow(), expected);
    Ok(())
}

#[test]
fn tasks_and_callbacks_share_one_queue() -> Result<(), Box<dyn std::error::Error>> {
    let (log, write) = log();
    aio::run(async {
        let event_loop = aio::get_running_loop().unwrap();
        let (one, two, three) = (write.clone(), write.clone(), write.clone());
        let task = aio::create_task(async move { one("task") });
        event_loop.call_soon(move || two("callback")).unwrap();
        aio::create_task(async move { three("second task") }).detach();
        write("main goes on");
        task.await.unwrap();
        write("main again");
    })?;
    assert_eq!(
        *log.borrow(),
        [
            "main goes on",
            "task",
            "callback",
            "second task",
            "main again"
        ]
    );
    Ok(())
}

#[test]
fn what_is_ready_when_the_future_is_done_still_has_its_turn()
-> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let (log, write) = log();
    let inner = event_loop.clone();
    let last = write.clone();
    event_loop
        .run_until_complete(async move { inner.call_soon(move || last("callback")).unwrap() })?;
    assert_eq!(*log.borrow(), ["callback"]);
    Ok(())
}

#[test]
fn a_run_within_a_run_is_an_error_and_the_outer_goes_on() -> Result<(), Box<dyn std::error::Error>>
{
    let outer = EventLoop::new()?;
    let other = EventLoop::new()?;
    let answer = outer.run_until_complete(async {
        assert!(matches!(
            outer.run_until_complete(async {}),
            Err(RunError::AlreadyRunning)
        ));
        assert!(matches!(other.run_forever(), Err(RunError::AlreadyRunning)));
        let error = aio::run(async {}).unwrap_err();
        assert!(error.to_string().contains(".await"), "{error}");
        assert!(outer.close().is_err(), "a running loop cannot be closed");
        aio::yield_now().await;
        7
    })?;
    assert_eq!(answer, 7);
    Ok(())
}

#[test]
fn a_run_within_a_foreign_runtime_is_an_error() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        assert!(matches!(aio::run(async {}), Err(RunError::AlreadyRunning)));
    });
    Ok(())
}

#[test]
fn a_closed_loop_takes_nothing() -> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let handle = event_loop.handle();
    event_loop.close()?;
    event_loop.close()?;
    assert!(event_loop.is_closed() && !event_loop.is_running());
    assert!(matches!(event_loop.run_forever(), Err(RunError::Closed)));
    assert!(matches!(
        event_loop.run_until_complete(async {}),
        Err(RunError::Closed)
    ));
    assert!(event_loop.call_soon(|| ()).is_err());
    assert!(event_loop.call_later(Duration::ZERO, || ()).is_err());
    assert!(handle.call_soon_threadsafe(|| ()).is_err());
    let task = event_loop.create_task(async {});
    assert_eq!(aio::run(task)?, Err(aio::TaskError::LoopClosed));
    Ok(())
}

#[test]
fn a_stop_before_the_end_is_an_error_and_a_task_survives_it()
-> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let mut task = event_loop.create_task(async {
        for _ in 0..10 {
            aio::yield_now().await;
        }
        "done"
    });
    event_loop.stop();
    assert!(matches!(
        event_loop.run_until_complete(&mut task),
        Err(RunError::Stopped)
    ));
    assert_eq!(event_loop.run_until_complete(&mut task)?, Ok("done"));
    Ok(())
}

#[test]
fn the_loop_survives_a_callback_that_panics_and_a_handler_that_does()
-> Result<(), Box<dyn std::error::Error>> {
    let event_loop = EventLoop::new()?;
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = reports.clone();
    event_loop.set_exception_handler(move |context| {
        seen.borrow_mut().push(context.to_string());
        panic!("the handler is broken too");
    });
    event_loop.call_soon(|| panic!("a callback's panic"))?;
    event_loop.run_until_complete(async {
        aio::create_task(async { panic!("a task's panic") }).detach();
        aio::yield_now().await;
        aio::yield_now().await;
    })?;
    let reports = reports.borrow();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports[0].contains("a callback's panic") && reports[1].contains("a task's panic"),
        "{reports:?}"
    );
    Ok(())
}

#[test]
fn the_future_of_a_run_may_borrow_and_its_panic_is_an_error() {
    let text = String::from("borrowed");
    assert_eq!(aio::run(async { text.len() }).unwrap(), 8);
    match aio::run(async { panic!("in main") }) {
        Err(RunError::Panicked(panicked)) => assert_eq!(panicked.message(), "in main"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_busy_loop_still_polls_its_sockets_and_timers() -> Result<(), Box<dyn std::error::Error>> {
    aio::run(async {
        let spinner = aio::create_task(async {
            loop {
                aio::yield_now().await;
            }
        });
        let begin = Instant::now();
        aio::sleep(Duration::from_millis(5)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(begin.elapsed() < Duration::from_secs(5));
        spinner.abort();
        let ended: Result<(), _> = spinner.await;
        assert!(ended.is_err());
    })?;
    Ok(())
}

#[test]
fn tokio_tasks_run_inside() -> Result<(), Box<dyn std::error::Error>> {
    let sum = aio::run(async {
        let local = tokio::task::spawn_local(async { 1 });
        let send = tokio::spawn(async {
            tokio::task::yield_now().await;
            2
        });
        let blocking = tokio::task::spawn_blocking(|| 3);
        local.await.unwrap() + send.await.unwrap() + blocking.await.unwrap()
    })?;
    assert_eq!(sum, 6);
    Ok(())
}
