//! The scenarios of `golden/record.py` in Rust: their logs must be what CPython's asyncio wrote, line by line.
//!
//! Time is virtual here, so the order of timers does not depend on the machine.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::Write,
    net::TcpListener,
    rc::Rc,
    time::{Duration, Instant},
};

use aio::{
    EventLoop, ReadError, RunError, Task, TaskError, TaskGroup, TimedOut, Until, Yielder,
    async_generator, create_task, gather_settled, sleep,
    sync::{Barrier, Condition, Event, LifoQueue, Lock, PriorityQueue, Queue, Semaphore},
    wait_for, yield_now,
};

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn say(&self, line: impl ToString) {
        self.0.borrow_mut().push(line.to_string());
    }

    /// Says the line when it is dropped: asyncio's `finally`.
    fn finally(&self, line: impl ToString) -> Finally {
        Finally(self.clone(), line.to_string())
    }
}

struct Finally(Log, String);

impl Drop for Finally {
    fn drop(&mut self) {
        self.0.say(&self.1);
    }
}

/// Compares what a scenario says with what asyncio said.
#[track_caller]
fn agree(name: &str, scenario: impl FnOnce(EventLoop, Log)) {
    let event_loop = EventLoop::builder().virtual_clock(true).build().unwrap();
    let log = Log::default();
    scenario(event_loop, log.clone());
    let recorded = recorded();
    let expected: &[&str] = match DIFFERENCES.iter().find(|(other, ..)| *other == name) {
        Some((_, reason, expected)) => {
            assert_ne!(
                **expected, *recorded[name],
                "asyncio does the same now, so this is no difference: {reason}"
            );
            expected
        }
        None => &recorded[name],
    };
    assert_eq!(*log.0.borrow(), *expected);
}

fn recorded() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut scenarios: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in include_str!("golden/traces.txt").lines() {
        match line.strip_prefix("== ") {
            Some(next) => {
                name = next;
                scenarios.insert(name, Vec::new());
            }
            None => scenarios
                .get_mut(name)
                .expect("a name comes first")
                .push(line),
        }
    }
    scenarios
}

/// A scenario that drives a loop of its own.
macro_rules! on_loop {
    ($name:ident, |$event_loop:ident, $log:ident| $body:block) => {
        #[test]
        fn $name() {
            agree(stringify!($name), |$event_loop, $log| $body);
        }
    };
}

/// A scenario that is a program's main coroutine. What it leaves is cancelled, as `asyncio.run` does.
macro_rules! as_main {
    ($name:ident, |$log:ident| $body:block) => {
        #[test]
        fn $name() {
            agree(stringify!($name), |event_loop, $log| {
                event_loop.run_until_complete(async move $body).unwrap();
                event_loop.all_tasks().iter().for_each(|task| {
                    task.cancel();
                });
                event_loop.run_until_complete(yield_now()).unwrap();
            });
        }
    };
}

fn one_iteration(event_loop: &EventLoop) {
    event_loop.stop();
    event_loop.run_forever().unwrap();
}

fn soon(event_loop: &EventLoop, log: &Log, line: &'static str) -> aio::Handle {
    let log = log.clone();
    event_loop.call_soon(move || log.say(line)).unwrap()
}

fn later(event_loop: &EventLoop, millis: u64, log: &Log, line: &'static str) -> aio::TimerHandle {
    let log = log.clone();
    event_loop
        .call_later(Duration::from_millis(millis), move || log.say(line))
        .unwrap()
}

fn stop_later(event_loop: &EventLoop, millis: u64) {
    let stopping = event_loop.clone();
    event_loop
        .call_later(Duration::from_millis(millis), move || stopping.stop())
        .unwrap();
}

fn here() -> EventLoop {
    aio::get_running_loop().unwrap()
}

fn centi(delay: u64) -> Duration {
    Duration::from_millis(10 * delay)
}

const LONG: Duration = Duration::from_secs(3600);

/// A task that sleeps, then says its delay and returns it.
fn sleeper(log: &Log, delay: u64) -> Task<u64> {
    let log = log.clone();
    create_task(async move {
        sleep(centi(delay)).await;
        log.say(delay);
        delay
    })
}

/// A task that sleeps for long, and says the line when it is cancelled.
fn long_sleeper(log: &Log, line: impl ToString) -> Task<()> {
    let finally = log.finally(line);
    create_task(async move {
        let _finally = finally;
        sleep(LONG).await;
    })
}

on_loop!(callbacks_first_come_first_served, |event_loop, log| {
    for name in ["a", "b", "c"] {
        soon(&event_loop, &log, name);
    }
    one_iteration(&event_loop);
});

on_loop!(nested_callbacks_wait_an_iteration, |event_loop, log| {
    let (inner, saying) = (event_loop.clone(), log.clone());
    event_loop
        .call_soon(move || {
            saying.say("first");
            soon(&inner, &saying, "nested");
        })
        .unwrap();
    soon(&event_loop, &log, "second");
    one_iteration(&event_loop);
    log.say("iteration");
    one_iteration(&event_loop);
});

on_loop!(a_cancelled_callback_does_not_run, |event_loop, log| {
    soon(&event_loop, &log, "a");
    let handle = soon(&event_loop, &log, "b");
    soon(&event_loop, &log, "c");
    handle.cancel();
    log.say(handle.is_cancelled());
    one_iteration(&event_loop);
});

on_loop!(a_callback_cancels_a_later_one, |event_loop, log| {
    let handles: Rc<RefCell<Vec<aio::Handle>>> = Rc::default();
    let (victims, saying) = (handles.clone(), log.clone());
    event_loop
        .call_soon(move || {
            saying.say("cancelling");
            victims.borrow()[0].cancel();
        })
        .unwrap();
    handles.borrow_mut().push(soon(&event_loop, &log, "never"));
    soon(&event_loop, &log, "after");
    one_iteration(&event_loop);
});

on_loop!(timers_by_deadline, |event_loop, log| {
    for (millis, line) in [(30, "0.03"), (10, "0.01"), (20, "0.02")] {
        later(&event_loop, millis, &log, line);
    }
    stop_later(&event_loop, 50);
    event_loop.run_forever().unwrap();
});

on_loop!(
    a_timer_due_at_once_comes_after_what_is_ready,
    |event_loop, log| {
        later(&event_loop, 0, &log, "timer");
        soon(&event_loop, &log, "soon");
        one_iteration(&event_loop);
    }
);

on_loop!(a_negative_delay_is_due_at_once, |event_loop, log| {
    let (past, saying) = (event_loop.time() - Duration::from_secs(5), log.clone());
    event_loop
        .call_at(past, move || saying.say("past"))
        .unwrap();
    soon(&event_loop, &log, "soon");
    one_iteration(&event_loop);
    log.say("iteration");
});

on_loop!(a_cancelled_timer_does_not_fire, |event_loop, log| {
    let handle = later(&event_loop, 10, &log, "never");
    later(&event_loop, 20, &log, "kept");
    stop_later(&event_loop, 30);
    handle.cancel();
    event_loop.run_forever().unwrap();
});

on_loop!(stop_lets_the_batch_finish, |event_loop, log| {
    let (inner, saying) = (event_loop.clone(), log.clone());
    event_loop
        .call_soon(move || {
            saying.say("stopping");
            inner.stop();
            soon(&inner, &saying, "next run");
        })
        .unwrap();
    soon(&event_loop, &log, "same batch");
    event_loop.run_forever().unwrap();
    log.say("returned");
    one_iteration(&event_loop);
});

on_loop!(
    callbacks_ready_when_main_ends_still_run,
    |event_loop, log| {
        event_loop
            .run_until_complete(async {
                soon(&event_loop, &log, "callback");
                log.say("main ends");
            })
            .unwrap();
        log.say("returned");
    }
);

on_loop!(
    what_comes_a_turn_later_waits_for_the_next_run,
    |event_loop, log| {
        let (inner, saying) = (event_loop.clone(), log.clone());
        event_loop
            .run_until_complete(async {
                let nested = move || {
                    saying.say("callback");
                    soon(&inner, &saying, "its callback");
                };
                event_loop.call_soon(nested).unwrap();
                log.say("main ends");
            })
            .unwrap();
        log.say("returned");
        one_iteration(&event_loop);
    }
);

on_loop!(a_task_goes_on_in_the_next_run, |event_loop, log| {
    let saying = log.clone();
    let task = event_loop.create_task(async move {
        for number in 0..4 {
            saying.say(format!("worker {number}"));
            yield_now().await;
        }
    });
    event_loop
        .run_until_complete(async {
            yield_now().await;
            log.say("main ends");
        })
        .unwrap();
    log.say("between");
    event_loop.run_until_complete(task).unwrap().unwrap();
});

on_loop!(stopped_early, |event_loop, log| {
    let inner = event_loop.clone();
    let mut task = event_loop.create_task(async move {
        inner.stop();
        sleep(LONG).await;
    });
    if let Err(RunError::Stopped) = event_loop.run_until_complete(&mut task) {
        log.say("stopped before it was done");
    }
    log.say(format!("done: {}", task.is_done()));
    task.cancel();
    if let Ok(Err(TaskError::Cancelled(_))) = event_loop.run_until_complete(task) {
        log.say("cancelled");
    }
});

as_main!(tasks_and_callbacks_share_a_queue, |log| {
    let body = |name: &'static str| {
        let log = log.clone();
        create_task(async move { log.say(name) })
    };
    let one = body("task one");
    soon(&here(), &log, "callback");
    let two = body("task two");
    log.say("main");
    one.await.unwrap();
    log.say("one awaited");
    two.await.unwrap();
    log.say("two awaited");
});

as_main!(tasks_take_turns, |log| {
    let tasks = ["a", "b"].map(|name| {
        let log = log.clone();
        create_task(async move {
            for number in 0..3 {
                log.say(format!("{name}{number}"));
                yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    log.say("end");
});

as_main!(a_task_never_begins_at_once, |log| {
    let saying = log.clone();
    let task = create_task(async move { saying.say("begun") });
    log.say("created");
    yield_now().await;
    log.say(format!("done: {}", task.is_done()));
});

as_main!(the_awaiter_comes_after_what_the_task_scheduled, |log| {
    let saying = log.clone();
    let task = create_task(async move {
        soon(&here(), &saying, "scheduled by the task");
    });
    task.await.unwrap();
    log.say("awaiter");
});

as_main!(nested_tasks, |log| {
    let branch = |name: &'static str| {
        let log = log.clone();
        create_task(async move {
            let saying = log.clone();
            let leaf = create_task(async move {
                saying.say(format!("{name} leaf begins"));
                yield_now().await;
                saying.say(format!("{name} leaf ends"));
            });
            log.say(format!("{name} waits"));
            leaf.await.unwrap();
            log.say(format!("{name} ends"));
        })
    };
    let (one, two) = (branch("one"), branch("two"));
    one.await.unwrap();
    two.await.unwrap();
});

as_main!(cancelled_before_the_first_step, |log| {
    let saying = log.clone();
    let task = create_task(async move { saying.say("never") });
    log.say(task.cancel());
    if let Err(TaskError::Cancelled(_)) = task.await {
        log.say("cancelled");
    }
});

as_main!(cancelled_while_asleep, |log| {
    let saying = log.clone();
    let mut task = create_task(async move {
        let _finally = saying.finally("finally");
        saying.say("asleep");
        sleep(LONG).await;
    });
    yield_now().await;
    task.cancel();
    log.say("asked");
    if let Err(TaskError::Cancelled(_)) = (&mut task).await {
        log.say("cancelled");
    }
    log.say(task.cancel());
});

as_main!(a_cancelled_task_ends_in_its_turn, |log| {
    let task = long_sleeper(&log, "finally");
    yield_now().await;
    soon(&here(), &log, "before");
    task.cancel();
    soon(&here(), &log, "after");
    for _ in 0..3 {
        yield_now().await;
    }
    log.say(format!("done: {}", task.is_done()));
});

as_main!(cancelling_reaches_what_is_awaited, |log| {
    let inner = long_sleeper(&log, "inner finally");
    let watched = inner.reference().unwrap();
    let finally = log.finally("outer finally");
    let outer = create_task(async move {
        let _finally = finally;
        inner.await.unwrap();
    });
    yield_now().await;
    yield_now().await;
    outer.cancel();
    for _ in 0..5 {
        yield_now().await;
    }
    log.say(format!("inner done: {}", watched.is_done()));
    log.say(format!("outer done: {}", outer.is_done()));
});

as_main!(a_message_is_kept, |log| {
    let task = create_task(sleep(LONG));
    yield_now().await;
    task.cancel_with("enough");
    if let Err(TaskError::Cancelled(cancelled)) = task.await {
        log.say(cancelled.message().unwrap());
    }
});

as_main!(sleeps_end_by_deadline, |log| {
    gather_settled([5, 1, 3].map(|delay| sleeper(&log, delay))).await;
    log.say("end");
});

as_main!(sleep_zero_is_one_turn, |log| {
    soon(&here(), &log, "callback");
    yield_now().await;
    log.say("after one turn");
});

as_main!(gather_keeps_the_order, |log| {
    let bodies = [3, 1, 2].map(async |delay| {
        sleep(centi(delay)).await;
        log.say(format!("{delay} is done"));
        Ok::<u64, TimedOut>(delay)
    });
    let results = aio::gather(bodies).await.unwrap();
    log.say(format!("{results:?}"));
});

as_main!(gather_of_nothing, |log| {
    let results = aio::gather(Vec::<std::future::Ready<Result<u8, TimedOut>>>::new())
        .await
        .unwrap();
    log.say(format!("{results:?}"));
});

as_main!(gather_with_errors_among_the_results, |log| {
    for result in gather_settled(
        [1, 2, 3].map(async |number| if number == 2 { Err(number) } else { Ok(number) }),
    )
    .await
    {
        match result {
            Ok(number) => log.say(number),
            Err(number) => log.say(format!("error {number}")),
        }
    }
});

as_main!(gather_cancelled_cancels_all, |log| {
    let saying = log.clone();
    let task = create_task(async move {
        gather_settled(["a", "b"].map(async |name| {
            let _finally = saying.finally(format!("{name} finally"));
            sleep(LONG).await;
        }))
        .await;
    });
    sleep(centi(1)).await;
    task.cancel();
    if let Err(TaskError::Cancelled(_)) = task.await {
        log.say("cancelled");
    }
});

as_main!(wait_for_what_is_ready, |log| {
    log.say(
        wait_for(async { "ready" }, Duration::from_secs(10))
            .await
            .unwrap(),
    );
});

as_main!(wait_for_too_long, |log| {
    let finally = log.finally("finally");
    let body = async move {
        let _finally = finally;
        sleep(LONG).await;
    };
    if let Err(TimedOut) = wait_for(body, centi(1)).await {
        log.say("timeout");
    }
});

as_main!(wait_for_a_task_cancels_it, |log| {
    let task = create_task(sleep(LONG));
    let watched = task.reference().unwrap();
    if let Err(TimedOut) = wait_for(task, centi(1)).await {
        log.say("timeout");
    }
    yield_now().await;
    log.say(format!("done: {}", watched.is_done()));
});

as_main!(shield_keeps_a_task_alive, |log| {
    let saying = log.clone();
    let task = create_task(async move {
        sleep(centi(3)).await;
        saying.say("body ends");
    });
    let watched = task.reference().unwrap();
    if let Err(TimedOut) = wait_for(aio::shield(task), centi(1)).await {
        log.say("timeout");
    }
    log.say(format!("done: {}", watched.is_done()));
    sleep(centi(4)).await;
    log.say("end");
});

as_main!(nested_timeouts_the_outer_first, |log| {
    let outer = aio::timeout(Some(centi(1)), async |_| {
        if let Err(TimedOut) =
            aio::timeout(Some(Duration::from_secs(10)), async |_| sleep(LONG).await).await
        {
            log.say("inner");
        }
    });
    if let Err(TimedOut) = outer.await {
        log.say("outer");
    }
});

as_main!(nested_timeouts_the_inner_first, |log| {
    let outer = aio::timeout(Some(Duration::from_secs(10)), async |_| {
        if let Err(TimedOut) = aio::timeout(Some(centi(1)), async |_| sleep(LONG).await).await {
            log.say("inner");
        }
        log.say("goes on");
    });
    if let Err(TimedOut) = outer.await {
        log.say("outer");
    }
});

as_main!(a_timeout_is_moved, |log| {
    let moved = aio::timeout(Some(centi(1)), async |limit| {
        let when: Instant = here().time() + Duration::from_secs(10);
        limit.reschedule(Some(when)).unwrap();
        sleep(centi(3)).await;
        log.say("in time");
    });
    moved.await.unwrap();
});

fn quiet(delay: u64) -> Task<u64> {
    create_task(async move {
        sleep(centi(delay)).await;
        delay
    })
}

as_main!(wait_for_the_first, |log| {
    let tasks = [5, 1, 9].map(quiet).into();
    let (done, pending) = aio::wait(tasks, Until::First, None).await;
    log.say(format!("{} done, {} pending", done.len(), pending.len()));
    let (done, pending) = aio::wait(pending, Until::All, None).await;
    log.say(format!("{} done, {} pending", done.len(), pending.len()));
});

as_main!(wait_with_a_limit, |log| {
    let (done, pending) =
        aio::wait([1, 360_000].map(quiet).into(), Until::All, Some(centi(5))).await;
    log.say(format!("{} done, {} pending", done.len(), pending.len()));
});

as_main!(in_order_of_completion, |log| {
    let mut coming = aio::as_completed([5, 1, 3].map(quiet));
    while let Some(delay) = coming.next().await {
        log.say(delay.unwrap());
    }
});

as_main!(a_group_waits_for_all, |log| {
    let all = aio::task_group(async |group: &TaskGroup<TimedOut>| {
        for delay in [3, 1] {
            let log = log.clone();
            let member = async move {
                sleep(centi(delay)).await;
                log.say(delay);
                Ok(())
            };
            group.create_task(member).detach();
        }
        log.say("body ends");
        Ok(())
    });
    all.await.unwrap();
    log.say("group ends");
});

as_main!(a_failing_task_ends_its_group, |log| {
    let all = aio::task_group(async |group: &TaskGroup<&'static str>| {
        let finally = log.finally("sibling finally");
        let sibling = async move {
            let _finally = finally;
            sleep(LONG).await;
            Ok(())
        };
        group.create_task(sibling).detach();
        let failing = async {
            sleep(centi(1)).await;
            Err::<(), _>("failed")
        };
        group.create_task(failing).detach();
        Ok(())
    });
    if let Err(aio::GroupError::Failed(failures)) = all.await {
        failures.iter().for_each(|failure| log.say(failure));
    }
});

as_main!(a_lock_goes_round, |log| {
    let lock = Rc::new(Lock::new(()));
    let tasks = ["a", "b", "c"].map(|name| {
        let (log, lock) = (log.clone(), lock.clone());
        create_task(async move {
            for _ in 0..2 {
                let _held = lock.lock().await;
                log.say(name);
                yield_now().await;
            }
        })
    });
    gather_settled(tasks).await;
});

as_main!(a_cancelled_waiter_passes_the_lock_on, |log| {
    let lock = Rc::new(Lock::new(()));
    let held = lock.lock().await;
    let tasks = ["a", "b", "c"].map(|name| {
        let (log, lock) = (log.clone(), lock.clone());
        create_task(async move {
            let _held = lock.lock().await;
            log.say(name);
        })
    });
    yield_now().await;
    tasks[0].cancel();
    yield_now().await;
    drop(held);
    gather_settled(tasks).await;
    log.say(lock.is_locked());
});

as_main!(a_semaphore_of_two, |log| {
    let semaphore = Rc::new(Semaphore::new(2));
    let tasks = ["a", "b", "c", "d"].map(|name| {
        let (log, semaphore) = (log.clone(), semaphore.clone());
        create_task(async move {
            let _permit = semaphore.acquire().await;
            log.say(format!("{name} in"));
            sleep(centi(1)).await;
            log.say(format!("{name} out"));
        })
    });
    gather_settled(tasks).await;
});

as_main!(an_event_wakes_all_in_order, |log| {
    let event = Rc::new(Event::new());
    let tasks = ["a", "b", "c"].map(|name| {
        let (log, event) = (log.clone(), event.clone());
        create_task(async move {
            event.wait().await;
            log.say(name);
        })
    });
    yield_now().await;
    event.set();
    event.clear();
    log.say("set and cleared");
    for task in tasks {
        task.await.unwrap();
    }
});

as_main!(a_condition_notifies_two, |log| {
    let shared = Rc::new((Lock::new(()), Condition::new()));
    let tasks = ["a", "b", "c"].map(|name| {
        let (log, shared) = (log.clone(), shared.clone());
        create_task(async move {
            let guard = shared.0.lock().await;
            let _guard = shared.1.wait(guard).await;
            log.say(name);
        })
    });
    sleep(centi(1)).await;
    let guard = shared.0.lock().await;
    shared.1.notify(2);
    drop(guard);
    sleep(centi(1)).await;
    log.say("the rest");
    let guard = shared.0.lock().await;
    shared.1.notify_all();
    drop(guard);
    for task in tasks {
        task.await.unwrap();
    }
});

as_main!(a_barrier_of_three, |log| {
    let barrier = Rc::new(Barrier::new(3));
    let mut tasks = Vec::new();
    for name in ["a", "b", "c"] {
        let (saying, barrier) = (log.clone(), barrier.clone());
        tasks.push(create_task(async move {
            barrier.wait().await.unwrap();
            saying.say(name);
        }));
        sleep(centi(1)).await;
        log.say(format!("{name} has come"));
    }
    for task in tasks {
        task.await.unwrap();
    }
});

as_main!(a_queue_of_one, |log| {
    let queue = Rc::new(Queue::bounded(1));
    let (input, saying) = (queue.clone(), log.clone());
    let producer = create_task(async move {
        for number in 0..4 {
            input.put(number).await.unwrap();
            saying.say(format!("put {number}"));
        }
    });
    for _ in 0..4 {
        log.say(format!("got {}", queue.get().await.unwrap()));
    }
    producer.await.unwrap();
});

/// Tasks that each get one item and say so.
fn getter(log: &Log, queue: &Rc<Queue<&'static str>>, name: &'static str) -> Task<()> {
    let (log, queue) = (log.clone(), queue.clone());
    create_task(async move { log.say(format!("{name} got {}", queue.get().await.unwrap())) })
}

as_main!(getters_in_order, |log| {
    let queue = Rc::new(Queue::unbounded());
    let tasks = ["a", "b", "c"].map(|name| getter(&log, &queue, name));
    yield_now().await;
    for item in ["0", "1", "2"] {
        queue.try_put(item).unwrap();
    }
    for task in tasks {
        task.await.unwrap();
    }
});

as_main!(a_cancelled_getter_loses_nothing, |log| {
    let queue = Rc::new(Queue::unbounded());
    let (one, two) = (getter(&log, &queue, "one"), getter(&log, &queue, "two"));
    yield_now().await;
    queue.try_put("item").unwrap();
    one.cancel();
    two.await.unwrap();
    log.say(queue.len());
});

as_main!(join_waits_for_task_done, |log| {
    let queue = Rc::new(Queue::unbounded());
    (0..3).for_each(|number| queue.try_put(number).unwrap());
    let (output, saying) = (queue.clone(), log.clone());
    let worker = create_task(async move {
        while let Ok(number) = output.get().await {
            sleep(centi(1)).await;
            saying.say(format!("done {number}"));
            output.task_done().unwrap();
        }
    });
    queue.join().await;
    log.say("joined");
    worker.cancel();
    if queue.task_done().is_err() {
        log.say("too many");
    }
});

as_main!(priorities_and_the_last_first, |log| {
    let (priority, lifo) = (PriorityQueue::unbounded(), LifoQueue::unbounded());
    for number in [2, 3, 1] {
        priority.try_put(number).unwrap();
        lifo.try_put(number).unwrap();
    }
    log.say(
        [(); 3]
            .map(|()| priority.try_get().unwrap().to_string())
            .join(" "),
    );
    log.say(
        [(); 3]
            .map(|()| lifo.try_get().unwrap().to_string())
            .join(" "),
    );
    if let Err(aio::GetError::Empty) = lifo.try_get() {
        log.say("empty");
    }
});

as_main!(run_cancels_what_is_left, |log| {
    long_sleeper(&log, "finally").detach();
    yield_now().await;
    log.say("main ends");
});

on_loop!(a_callback_that_fails_stops_nothing, |event_loop, log| {
    let saying = log.clone();
    event_loop.set_exception_handler(move |context| {
        let told = context.error.to_string();
        saying.say(format!("told of {}", told.trim_start_matches("panicked: ")));
    });
    event_loop.call_soon(|| panic!("a failure")).unwrap();
    soon(&event_loop, &log, "goes on");
    one_iteration(&event_loop);
});

on_loop!(a_run_within_a_run_is_refused, |event_loop, log| {
    event_loop
        .run_until_complete(async {
            if let Err(RunError::AlreadyRunning) = event_loop.run_until_complete(yield_now()) {
                log.say("refused");
            }
            yield_now().await;
            log.say("goes on");
        })
        .unwrap();
});

on_loop!(a_closed_loop_takes_nothing, |event_loop, log| {
    event_loop.close().unwrap();
    event_loop.close().unwrap();
    log.say(format!("closed: {}", event_loop.is_closed()));
    if event_loop.call_soon(|| ()).is_err() {
        log.say("refused");
    }
});

as_main!(what_is_free_takes_no_turn, |log| {
    soon(&here(), &log, "callback");
    let (lock, semaphore, event, queue) = (
        Lock::new(()),
        Semaphore::new(1),
        Event::new(),
        Queue::unbounded(),
    );
    event.set();
    let held = lock.lock().await;
    log.say("locked");
    drop(held);
    let permit = semaphore.acquire().await;
    log.say("in");
    drop(permit);
    event.wait().await;
    log.say("set");
    queue.put(1).await.unwrap();
    log.say(format!("got {}", queue.get().await.unwrap()));
    yield_now().await;
});

as_main!(an_aborted_barrier_breaks, |log| {
    let barrier = Rc::new(Barrier::new(2));
    let body = || {
        let (log, barrier) = (log.clone(), barrier.clone());
        async move {
            if barrier.wait().await.is_err() {
                log.say("broken");
            }
        }
    };
    let task = create_task(body());
    sleep(centi(1)).await;
    barrier.abort();
    task.await.unwrap();
    body().await;
    barrier.reset();
    log.say(format!("broken: {}", barrier.is_broken()));
});

as_main!(wait_for_the_first_failure, |log| {
    let failing = create_task(async {
        sleep(centi(2)).await;
        panic!("a failure");
    });
    let tasks = [1, 360_000]
        .map(quiet)
        .into_iter()
        .chain([failing])
        .collect();
    let (done, pending) = aio::wait(tasks, Until::FirstFailure, None).await;
    log.say(format!("{} done, {} pending", done.len(), pending.len()));
    gather_settled(done).await;
});

as_main!(a_condition_waits_for_a_number, |log| {
    let shared = Rc::new((Lock::new(Vec::new()), Condition::new()));
    let (consuming, saying) = (shared.clone(), log.clone());
    let task = create_task(async move {
        let guard = consuming.0.lock().await;
        let stock = consuming.1.wait_while(guard, |stock| stock.len() < 2).await;
        saying.say(format!("consumer sees {}", stock.len()));
    });
    for number in 1..4 {
        sleep(centi(1)).await;
        let mut stock = shared.0.lock().await;
        stock.push(number);
        log.say(format!("producer makes {number}"));
        shared.1.notify(1);
    }
    task.await.unwrap();
});

as_main!(a_task_spawned_in_a_task_waits_its_turn, |log| {
    let (parent, child) = (log.clone(), log.clone());
    create_task(async move {
        create_task(async move { child.say("child") }).detach();
        parent.say("parent");
    })
    .detach();
    soon(&here(), &log, "callback");
    for turn in 0..3 {
        log.say(format!("turn {turn}"));
        yield_now().await;
    }
});

fn step(event_loop: EventLoop, log: Log, number: u32) {
    log.say(format!("step {number}"));
    if number < 4 {
        let (next, saying) = (event_loop.clone(), log);
        event_loop
            .call_soon(move || step(next, saying, number + 1))
            .unwrap();
    }
    if number % 2 == 1 {
        event_loop.stop();
    }
}

on_loop!(a_loop_stopped_and_run_again_goes_on, |event_loop, log| {
    let (first, saying) = (event_loop.clone(), log.clone());
    event_loop
        .call_soon(move || step(first, saying, 0))
        .unwrap();
    stop_later(&event_loop, 10);
    for run in 0..3 {
        log.say(format!("run {run}"));
        event_loop.run_forever().unwrap();
    }
});

on_loop!(stopped_before_it_runs, |event_loop, log| {
    soon(&event_loop, &log, "a");
    let (inner, saying) = (event_loop.clone(), log.clone());
    event_loop
        .call_soon(move || drop(soon(&inner, &saying, "b")))
        .unwrap();
    for run in 0..3 {
        one_iteration(&event_loop);
        log.say(format!("run {run}"));
    }
});

on_loop!(a_timer_waits_for_the_next_run, |event_loop, log| {
    later(&event_loop, 10, &log, "timer");
    let stopping = event_loop.clone();
    event_loop.call_soon(move || stopping.stop()).unwrap();
    event_loop.run_forever().unwrap();
    log.say("between");
    stop_later(&event_loop, 20);
    event_loop.run_forever().unwrap();
});

on_loop!(cancelled_between_runs, |event_loop, log| {
    let finally = log.clone();
    let task = event_loop.create_task(async move {
        let _finally = finally.finally("finally");
        sleep(LONG).await;
    });
    one_iteration(&event_loop);
    task.cancel();
    log.say("asked");
    one_iteration(&event_loop);
    log.say(task.is_done());
});

as_main!(an_async_generator_takes_turns_with_others, |log| {
    let (making, other) = (log.clone(), log.clone());
    let mut numbers = async_generator(async move |co: Yielder<u32>| {
        let _finally = making.finally("finally");
        for number in 0..3 {
            making.say(format!("making {number}"));
            yield_now().await;
            co.yield_(number).await;
        }
    });
    let task = create_task(async move {
        for turn in 0..4 {
            other.say(format!("other {turn}"));
            yield_now().await;
        }
    });
    while let Some(number) = numbers.next().await {
        log.say(format!("got {number}"));
    }
    log.say("end");
    task.await.unwrap();
});

as_main!(an_async_generator_closed_early, |log| {
    let finally = log.finally("finally");
    let mut numbers = async_generator(async move |co: Yielder<u32>| {
        let _finally = finally;
        for number in 0..3 {
            co.yield_(number).await;
        }
    });
    log.say(numbers.next().await.unwrap());
    numbers.close().await;
    log.say("closed");
    log.say(numbers.next().await.is_none());
});

as_main!(an_async_generator_within_a_time_limit, |log| {
    let (finally, saying) = (log.finally("finally"), log.clone());
    let limited = aio::timeout(Some(centi(4)), async |_| {
        let mut numbers = async_generator(async move |co: Yielder<u64>| {
            let _finally = finally;
            for number in 1..4 {
                sleep(centi(number)).await;
                co.yield_(number).await;
            }
        });
        while let Some(number) = numbers.next().await {
            saying.say(number);
        }
    });
    if limited.await.is_err() {
        log.say("too long");
    }
});

/// A reader that gets these bytes and then the end, with the limit of 8.
async fn reader_of(bytes: &'static [u8]) -> aio::StreamReader {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut reader, _) = aio::open_connection(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(bytes).unwrap();
    reader.set_limit(8);
    reader
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

as_main!(a_separator_over_the_limit, |log| {
    let mut reader = reader_of(b"0123456789;ab;cd").await;
    if let Err(ReadError::LimitOverrun { .. }) = reader.readuntil(b";").await {
        log.say("over the limit");
    }
    log.say(text(reader.read_exactly(11).await.unwrap()));
    log.say(text(reader.readuntil(b";").await.unwrap()));
    if let Err(ReadError::Incomplete { partial, .. }) = reader.readuntil(b";").await {
        log.say(format!("incomplete: {}", text(partial)));
    }
    log.say(reader.at_eof());
});

as_main!(a_line_over_the_limit, |log| {
    let mut reader = reader_of(b"0123456789\nab\ncd").await;
    for _ in 0..4 {
        match reader.readline().await {
            Ok(line) => log.say(text(line).trim_end()),
            Err(_) => log.say("over the limit"),
        }
    }
});

as_main!(exactly_the_limit, |log| {
    let mut reader = reader_of(b"01234567;x").await;
    log.say(text(reader.readuntil(b";").await.unwrap()));
    if let Err(ReadError::Incomplete { partial, expected }) = reader.read_exactly(5).await {
        log.say(format!("{} of {}", text(partial), expected.unwrap()));
    }
});

/// Where this crate means to differ: the scenario, why, and what it writes instead.
const DIFFERENCES: [(&str, &str, &[&str]); 3] = [
    (
        "cancelling_reaches_what_is_awaited",
        "a body is dropped as a whole, the waiter's own clean-up with it; the task that it awaited ends a turn later",
        &[
            "outer finally",
            "inner finally",
            "inner done: true",
            "outer done: true",
        ],
    ),
    (
        "the_first_error_of_a_gather_and_its_siblings",
        "gather leaves no sibling running unseen: they are cancelled before it returns the error",
        &["sibling cancelled", "failed"],
    ),
    (
        "a_line_over_the_limit",
        "readline leaves what is over the limit in the reader, as readuntil does; asyncio drops it unseen",
        &["over the limit"; 4],
    ),
];

as_main!(the_first_error_of_a_gather_and_its_siblings, |log| {
    let both = aio::gather([false, true].map(async |fails| {
        if fails {
            return Err("failed");
        }
        let cancelled = log.finally("sibling cancelled");
        sleep(centi(2)).await;
        std::mem::forget(cancelled);
        log.say("sibling goes on");
        Ok(())
    }));
    if let Err(error) = both.await {
        log.say(error);
    }
    sleep(centi(5)).await;
});

#[test]
fn every_recorded_scenario_is_compared() {
    let source = include_str!("asyncio_traces_agree.rs")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for name in recorded().keys() {
        assert!(
            source.contains(&format!("{name}, |")),
            "{name} has no counterpart"
        );
    }
}
