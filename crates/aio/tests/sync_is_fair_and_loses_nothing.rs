//! Locks, semaphores, conditions, barriers and queues: who comes first, what a cancelled waiter leaves, how they end.

use std::{cell::RefCell, rc::Rc, time::Duration};

use aio::{
    Broken, GetError, PutError, create_task,
    sync::{Barrier, Condition, Event, LifoQueue, Lock, PriorityQueue, Queue, Semaphore, Shutdown},
};

fn on_loop<T>(test: impl AsyncFnOnce() -> T) -> T {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))
        .unwrap()
        .unwrap()
}

async fn turns(count: usize) {
    for _ in 0..count {
        aio::yield_now().await;
    }
}

#[test]
fn a_lock_is_given_in_order_and_a_cancelled_waiter_passes_it_on() {
    on_loop(async || {
        let lock = Rc::new(Lock::new(Vec::new()));
        let held = lock.lock().await;
        let tasks: Vec<_> = (0..4)
            .map(|number| {
                let lock = lock.clone();
                create_task(async move { lock.lock().await.push(number) })
            })
            .collect();
        turns(1).await;
        tasks[1].cancel();
        drop(held);
        // The first has been called and not yet run: cancelling it now must not lose the lock.
        tasks[0].cancel();
        assert!(
            lock.try_lock().is_err(),
            "those in line come before a newcomer"
        );
        turns(5).await;
        assert_eq!(*lock.lock().await, [2, 3]);
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_semaphore_lets_so_many_in_and_no_more() {
    on_loop(async || {
        let (semaphore, inside, most) = (Semaphore::new(3), RefCell::new(0), RefCell::new(0));
        aio::gather_settled((0..10).map(async |_| {
            let _permit = semaphore.acquire().await;
            *inside.borrow_mut() += 1;
            let now = *inside.borrow();
            most.replace_with(|most| now.max(*most));
            aio::yield_now().await;
            *inside.borrow_mut() -= 1;
        }))
        .await;
        assert_eq!((*most.borrow(), semaphore.permits()), (3, 3));
        semaphore.acquire().await.forget();
        assert_eq!(semaphore.permits(), 2);
        semaphore.release();
        assert_eq!(semaphore.permits(), 3);
    });
}

#[test]
fn an_event_wakes_all_even_if_it_is_cleared_at_once() {
    on_loop(async || {
        let event = Rc::new(Event::new());
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let event = event.clone();
                create_task(async move { event.wait().await })
            })
            .collect();
        turns(1).await;
        event.set();
        event.clear();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert!(aio::wait_for(event.wait(), Duration::ZERO).await.is_err());
        event.set();
        event.wait().await;
    });
}

#[test]
fn a_condition_wakes_as_many_as_are_notified_and_a_cancelled_one_passes_it_on() {
    on_loop(async || {
        let shared = Rc::new((Lock::new(Vec::new()), Condition::new()));
        let tasks: Vec<_> = (0..4)
            .map(|number| {
                let shared = shared.clone();
                create_task(async move {
                    let guard = shared.0.lock().await;
                    shared.1.wait(guard).await.push(number);
                })
            })
            .collect();
        turns(6).await;
        shared.1.notify(2);
        tasks[0].cancel();
        turns(6).await;
        assert_eq!(
            *shared.0.lock().await,
            [1, 2],
            "the first one's call went to the third"
        );
        shared.1.notify_all();
        turns(6).await;
        assert_eq!(*shared.0.lock().await, [1, 2, 3]);
    });
}

#[test]
fn a_barrier_serves_again_and_breaks_for_all() {
    on_loop(async || {
        let barrier = Rc::new(Barrier::new(2));
        let waiting = |barrier: &Rc<Barrier>| {
            let barrier = barrier.clone();
            create_task(async move { barrier.wait().await.map(|place| place.place()) })
        };
        for _ in 0..2 {
            let (one, two) = (waiting(&barrier), waiting(&barrier));
            assert_eq!((one.await.unwrap(), two.await.unwrap()), (Ok(0), Ok(1)));
        }
        let gone = waiting(&barrier);
        turns(1).await;
        gone.cancel();
        turns(2).await;
        assert_eq!(barrier.waiting(), 0, "one who left does not count");
        let stuck = waiting(&barrier);
        turns(1).await;
        barrier.abort();
        assert_eq!(stuck.await.unwrap(), Err(Broken));
        assert_eq!(barrier.wait().await, Err(Broken));
        barrier.reset();
        let (one, two) = (waiting(&barrier), waiting(&barrier));
        assert!(one.await.unwrap().is_ok() && two.await.unwrap().is_ok());
    });
}

#[test]
fn queues_keep_their_orders() {
    let fifo = Queue::unbounded();
    let lifo = LifoQueue::unbounded();
    let priority = PriorityQueue::unbounded();
    for item in [2, 3, 1] {
        fifo.try_put(item).unwrap();
        lifo.try_put(item).unwrap();
        priority.try_put(item).unwrap();
    }
    assert_eq!([(); 3].map(|()| fifo.try_get().unwrap()), [2, 3, 1]);
    assert_eq!([(); 3].map(|()| lifo.try_get().unwrap()), [1, 3, 2]);
    assert_eq!([(); 3].map(|()| priority.try_get().unwrap()), [1, 2, 3]);
    assert_eq!(fifo.try_get(), Err(GetError::Empty));
}

#[test]
fn a_bounded_queue_holds_back_its_producers() {
    on_loop(async || {
        let queue = Rc::new(Queue::bounded(2));
        let input = queue.clone();
        let producer = create_task(async move {
            for number in 0..6 {
                input.put(number).await.unwrap();
            }
        });
        turns(5).await;
        assert!(queue.is_full() && !producer.is_done());
        assert_eq!(queue.try_put(9), Err(PutError::Full(9)));
        for expected in 0..6 {
            assert_eq!(queue.get().await, Ok(expected));
        }
        producer.await.unwrap();
    });
}

#[test]
fn a_cancelled_getter_loses_no_item_and_wakes_the_next() {
    on_loop(async || {
        let queue = Rc::new(Queue::unbounded());
        let getter = || {
            let queue = queue.clone();
            create_task(async move { queue.get().await })
        };
        let (first, second) = (getter(), getter());
        turns(1).await;
        queue.try_put("item").unwrap();
        first.cancel();
        assert!(first.await.is_err());
        assert_eq!(second.await.unwrap(), Ok("item"));
        let putter_queue = Rc::new(Queue::bounded(1));
        putter_queue.try_put(0).unwrap();
        let putter = |item| {
            let queue = putter_queue.clone();
            create_task(async move { queue.put(item).await })
        };
        let (first, second) = (putter(1), putter(2));
        turns(1).await;
        assert_eq!(putter_queue.try_get(), Ok(0));
        first.cancel();
        assert!(first.await.is_err());
        second.await.unwrap().unwrap();
        assert_eq!(putter_queue.try_get(), Ok(2));
    });
}

#[test]
fn join_waits_for_every_item_and_too_many_done_is_an_error() {
    on_loop(async || {
        let queue = Rc::new(Queue::unbounded());
        (0..3).for_each(|number| queue.try_put(number).unwrap());
        let output = queue.clone();
        let consumer = create_task(async move {
            while let Ok(_item) = output.get().await {
                aio::yield_now().await;
                output.task_done().unwrap();
            }
        });
        queue.join().await;
        assert!(queue.is_empty());
        assert!(queue.task_done().is_err());
        queue.shutdown(Shutdown::Drain);
        consumer.await.unwrap();
    });
}

#[test]
fn a_shut_queue_gives_what_it_holds_or_drops_it() {
    on_loop(async || {
        let queue = Queue::unbounded();
        (0..2).for_each(|number| queue.try_put(number).unwrap());
        queue.shutdown(Shutdown::Drain);
        assert_eq!(queue.put(7).await, Err(PutError::Closed(7)));
        assert_eq!(
            (queue.get().await, queue.get().await, queue.get().await),
            (Ok(0), Ok(1), Err(GetError::Closed))
        );

        let queue = Rc::new(Queue::<u8>::bounded(1));
        let (getter_queue, joiner_queue) = (queue.clone(), queue.clone());
        queue.try_put(1).unwrap();
        let joiner = create_task(async move { joiner_queue.join().await });
        let putter = create_task(async move { getter_queue.put(2).await });
        turns(1).await;
        queue.shutdown(Shutdown::Immediate);
        joiner.await.unwrap();
        assert_eq!(putter.await.unwrap(), Err(PutError::Closed(2)));
        assert_eq!(queue.get().await, Err(GetError::Closed));
    });
}
