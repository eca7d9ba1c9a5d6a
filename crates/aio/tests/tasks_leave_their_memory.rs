//! Tasks that have ended and waits that were given up leave no memory behind, one after the other or all at once.
//!
//! Alone in this file: the figure is the whole process's.

#[path = "common/in_use.rs"]
mod in_use;

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use aio::{
    create_task,
    sync::{Event, Queue},
};

const IN_TURN: usize = 1_000_000;

const AT_ONCE: usize = 250_000;

/// What a loop keeps for the next crowd.
const MOST_BYTES: usize = 1_000_000;

async fn in_turn(count: usize) {
    for _ in 0..count / 1000 {
        for _ in 0..1000 {
            create_task(async { [0u8; 100].len() }).detach();
        }
        aio::yield_now().await;
    }
}

/// All of them alive at once: one half wait for an event, the other half sleep.
async fn at_once(count: usize) {
    let begin = Rc::new(Event::new());
    let end = Instant::now() + Duration::from_millis(500);
    let alive = Rc::new(Cell::new(count));
    for number in 0..count {
        let (begin, alive) = (begin.clone(), alive.clone());
        let waiting = async move {
            if number % 2 == 0 {
                begin.wait().await;
            } else {
                aio::sleep_until(end).await;
            }
            alive.set(alive.get() - 1);
        };
        create_task(waiting).detach();
    }
    aio::yield_now().await;
    begin.set();
    while alive.get() > 0 {
        aio::sleep(Duration::from_millis(5)).await;
    }
    // Idle once, with nothing left to do.
    aio::sleep(Duration::from_millis(1)).await;
}

/// Others come, see that there is nothing, and go, behind one who stays.
async fn given_up(count: usize, check: impl Fn(&str)) {
    let queue = Rc::new(Queue::<u32>::unbounded());
    let patient = queue.clone();
    let patient = create_task(async move { patient.get().await });
    aio::yield_now().await;
    for _ in 0..count {
        let mut get = pin!(queue.get());
        poll_fn(|cx| Poll::Ready(get.as_mut().poll(cx).is_pending())).await;
    }
    check("given up behind a patient one");
    queue.put(7).await.unwrap();
    assert!(
        matches!(patient.await, Ok(Ok(7))),
        "the patient one is served"
    );
}

#[test]
fn tasks_in_turn_and_at_once_leave_their_memory() {
    let ran = aio::run(async {
        in_turn(20_000).await;
        let before = in_use::bytes();
        let check = |how: &str| {
            let grown = in_use::bytes().saturating_sub(before);
            assert!(grown < MOST_BYTES, "{how}: {grown} bytes more");
        };
        in_turn(IN_TURN).await;
        check("one after the other");
        at_once(AT_ONCE).await;
        check("all at once");
        given_up(100_000, check).await;
        // What is made afterwards finds its place again.
        at_once(10_000).await;
        let task = create_task(async { 5 });
        assert_eq!(task.await, Ok(5));
    });
    ran.unwrap();
}
