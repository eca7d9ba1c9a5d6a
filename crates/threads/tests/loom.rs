//! Every interleaving of the primitives' critical steps, explored by loom.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p threads --release --test loom`
#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use std::time::Duration;
use threads::{
    Barrier, BoundedSemaphore, Condition, Event, GetError, JobError, Latch, LifoQueue, Lock, Pool,
    PoolShutdown, PriorityQueue, PutError, Queue, Semaphore, Shutdown, model,
};

/// Explores with at most `preemptions` forced switches of threads.
fn explore(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

const SOON: Duration = Duration::from_millis(1);

#[test]
fn spin_lock_admits_one_at_a_time() {
    explore(5, || {
        let lock = Arc::new(model::SpinLock::new());
        let other = lock.clone();
        let thread = thread::spawn(move || other.add_one());
        lock.add_one();
        thread.join().unwrap();
        assert_eq!(lock.add_one(), 3);
    });
}

#[test]
fn bounded_queue_hands_over_in_order() {
    explore(5, || {
        let queue = Queue::bounded(1);
        let source = queue.clone();
        let reader = thread::spawn(move || (source.get(), source.get()));
        queue.put(1).unwrap();
        queue.put(2).unwrap();
        assert_eq!(reader.join().unwrap(), (Ok(1), Ok(2)));
    });
}

#[test]
fn unbounded_queue_wakes_the_sleeping_getter() {
    explore(5, || {
        let queue = Queue::unbounded();
        let source = queue.clone();
        let reader = thread::spawn(move || source.get());
        queue.put(1).unwrap();
        assert_eq!(reader.join().unwrap(), Ok(1));
    });
}

#[test]
fn two_putters_and_a_getter_lose_nothing() {
    explore(3, || {
        let queue = Queue::bounded(1);
        let (a, b) = (queue.clone(), queue.clone());
        let a = thread::spawn(move || a.put(1).unwrap());
        let b = thread::spawn(move || b.put(2).unwrap());
        let sum = queue.get().unwrap() + queue.get().unwrap();
        assert_eq!(sum, 3);
        a.join().unwrap();
        b.join().unwrap();
    });
}

#[test]
fn a_getter_that_times_out_takes_no_wake_up_with_it() {
    explore(3, || {
        let queue = Queue::unbounded();
        let (patient, hasty) = (queue.clone(), queue.clone());
        let hasty = thread::spawn(move || hasty.get_for(SOON));
        let patient = thread::spawn(move || patient.get());
        queue.put(1).unwrap();
        match hasty.join().unwrap() {
            // The item went to the hasty one, so the patient one needs another.
            Ok(item) => {
                assert_eq!(item, 1);
                queue.put(2).unwrap();
                assert_eq!(patient.join().unwrap(), Ok(2));
            }
            Err(error) => {
                assert_eq!(error, GetError::TimedOut);
                assert_eq!(patient.join().unwrap(), Ok(1));
            }
        }
    });
}

#[test]
fn shutdown_wakes_getter_and_putter() {
    explore(3, || {
        let queue = Queue::bounded(1);
        queue.put(1).unwrap();
        let sink = queue.clone();
        let putter = thread::spawn(move || sink.put(2));
        let dropped = queue.shutdown(Shutdown::Immediate);
        match putter.join().unwrap() {
            Ok(()) => assert_eq!(dropped, [1, 2][..dropped.len()]),
            Err(error) => assert_eq!(error, PutError::Closed(2)),
        }
        assert_eq!(dropped[0], 1);
        assert_eq!(queue.get(), Err(GetError::Closed));
    });
}

#[test]
fn join_returns_when_the_last_task_is_done() {
    explore(5, || {
        let queue = Queue::unbounded();
        queue.put(1).unwrap();
        let source = queue.clone();
        let worker = thread::spawn(move || {
            source.get().unwrap();
            source.task_done().unwrap();
        });
        queue.join();
        assert_eq!(queue.unfinished(), 0);
        worker.join().unwrap();
    });
}

#[test]
fn condition_misses_no_notification() {
    explore(5, || {
        let shared = Arc::new((Lock::new(false), Condition::new()));
        let other = shared.clone();
        let notifier = thread::spawn(move || {
            *other.0.lock() = true;
            other.1.notify(1);
        });
        let mut ready = shared.0.lock();
        shared.1.wait_while(&mut ready, |ready| !*ready);
        drop(ready);
        notifier.join().unwrap();
    });
}

#[test]
fn semaphore_wakes_a_waiter_for_each_permit() {
    explore(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiters = [semaphore.clone(), semaphore.clone()];
        let waiters = waiters.map(|s| thread::spawn(move || s.acquire().forget()));
        semaphore.release(1).unwrap();
        semaphore.release(1).unwrap();
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(semaphore.available(), 0);
    });
}

#[test]
fn semaphore_is_not_blocked_by_a_waiter_that_gives_up() {
    explore(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let (hasty, patient) = (semaphore.clone(), semaphore.clone());
        let hasty = thread::spawn(move || drop(hasty.acquire_for(SOON).ok()));
        let patient = thread::spawn(move || drop(patient.acquire()));
        semaphore.release(1).unwrap();
        hasty.join().unwrap();
        patient.join().unwrap();
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn semaphore_serves_a_small_request_behind_a_large_one() {
    explore(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let (large, small) = (semaphore.clone(), semaphore.clone());
        let large = thread::spawn(move || drop(large.acquire_many(2)));
        let small = thread::spawn(move || drop(small.acquire()));
        semaphore.release(1).unwrap();
        small.join().unwrap();
        semaphore.release(1).unwrap();
        large.join().unwrap();
    });
}

#[test]
fn event_wakes_its_waiter() {
    explore(5, || {
        let event = Arc::new(Event::new());
        let other = event.clone();
        let waiter = thread::spawn(move || other.wait());
        event.set();
        waiter.join().unwrap();
    });
}

#[test]
fn latch_opens_for_its_waiter() {
    explore(3, || {
        let latch = Arc::new(Latch::new(2));
        let steps = [latch.clone(), latch.clone()];
        let steps = steps.map(|latch| thread::spawn(move || latch.count_down()));
        latch.wait();
        for step in steps {
            step.join().unwrap();
        }
    });
}

#[test]
fn barrier_lets_both_parties_pass() {
    explore(5, || {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let party = thread::spawn(move || other.wait().unwrap());
        let place = barrier.wait().unwrap();
        assert_eq!(place + party.join().unwrap(), 1);
    });
}

#[test]
fn barrier_passes_for_all_or_breaks_for_all() {
    explore(5, || {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let party = thread::spawn(move || other.wait_for(SOON).is_ok());
        let passed = barrier.wait().is_ok();
        assert_eq!(passed, party.join().unwrap());
        assert_eq!(barrier.is_broken(), !passed);
    });
}

#[test]
fn barrier_is_whole_after_a_reset_against_a_time_limit() {
    explore(5, || {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let resetter = thread::spawn(move || {
            while other.waiting() == 0 && !other.is_broken() {
                thread::yield_now();
            }
            // The only party has come, so no time limit that counts begins after this.
            other.reset();
            assert!(!other.is_broken());
        });
        assert!(barrier.wait_for(SOON).is_err());
        resetter.join().unwrap();
        assert!(!barrier.is_broken());
        assert_eq!(barrier.waiting(), 0);
    });
}

#[test]
fn job_hands_its_result_to_the_sleeping_waiter() {
    explore(5, || {
        let (runner, job) = model::task(|| 7);
        let worker = thread::spawn(move || runner.run());
        assert_eq!(job.result().unwrap(), 7);
        assert!(worker.join().unwrap());
    });
}

#[test]
fn job_is_either_run_or_cancelled() {
    explore(5, || {
        let (runner, job) = model::task(|| 7);
        let worker = thread::spawn(move || runner.run());
        let cancelled = job.cancel();
        let ran = worker.join().unwrap();
        assert_ne!(cancelled, ran);
        match job.result() {
            Ok(7) => assert!(ran),
            Err(JobError::Cancelled) => assert!(cancelled),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn job_is_run_once_by_the_worker_or_by_its_waiter() {
    explore(5, || {
        let (runner, job) = model::task(|| 7);
        let worker = thread::spawn(move || runner.run());
        let here = model::run_inline(&job);
        assert_eq!(job.result().unwrap(), 7);
        assert_ne!(worker.join().unwrap(), here);
    });
}

#[test]
fn promise_gives_its_value_to_the_sleeping_waiter() {
    explore(5, || {
        let (promise, job) = threads::promise();
        let giver = thread::spawn(move || promise.set(7));
        assert_eq!(job.result().unwrap(), 7);
        assert_eq!(giver.join().unwrap(), Ok(()));
    });
}

#[test]
fn promise_is_either_kept_or_its_job_cancelled() {
    explore(5, || {
        let (mut promise, job) = threads::promise();
        let giver = thread::spawn(move || {
            let started = promise.start();
            assert_eq!(promise.set(7).is_ok(), started);
            started
        });
        let cancelled = job.cancel();
        assert_ne!(giver.join().unwrap(), cancelled);
        match job.result() {
            Ok(7) => assert!(!cancelled),
            Err(JobError::Cancelled) => assert!(cancelled),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn promise_that_is_dropped_wakes_the_waiter_and_calls_the_callback() {
    explore(4, || {
        let (promise, job) = threads::promise::<u8>();
        let breaker = thread::spawn(move || drop(promise));
        let (ends, log) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (sets, also) = (ends.clone(), log.clone());
        job.on_end(move |_| sets.set());
        job.on_done(move |result| {
            assert!(matches!(result, Err(JobError::BrokenPromise)));
            also.set();
        });
        ends.wait();
        log.wait();
        breaker.join().unwrap();
    });
}

/// A submitter that waits for room is woken by the cancellation of the job that holds it.
#[test]
fn pool_gives_the_room_of_a_cancelled_job_to_the_waiting_submitter() {
    explore(1, || {
        let pool = Pool::builder().workers(1).queue_bound(1).build().unwrap();
        let first = pool.submit(|| 1);
        let other = pool.clone();
        let submitter = thread::spawn(move || other.submit(|| 2).result().unwrap());
        first.cancel();
        assert_eq!(submitter.join().unwrap(), 2);
        pool.shutdown(PoolShutdown::Wait);
    });
}

/// The idle worker goes to sleep, or not, as the job comes; and again as the pool ends.
#[test]
fn pool_runs_a_job_for_the_sleeping_waiter_and_ends() {
    explore(3, || {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.submit(|| 7).result().unwrap(), 7);
        pool.shutdown(PoolShutdown::Wait);
    });
}

#[test]
fn pool_runs_what_was_queued_before_its_end_and_refuses_the_rest() {
    explore(2, || {
        let pool = Pool::new(1).unwrap();
        let other = pool.clone();
        let submitter = thread::spawn(move || other.submit(|| 7).result());
        pool.close();
        let outcome = submitter.join().unwrap();
        assert!(matches!(outcome, Ok(7) | Err(JobError::Closed)));
    });
}

/// Each job needs the other to run: the searcher that takes the first must not leave the second to itself.
#[test]
fn pool_wakes_a_second_worker_for_a_second_job() {
    explore(1, || {
        let pool = Pool::new(2).unwrap();
        let (ready, steady) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let (sets, waits) = (ready.clone(), steady.clone());
        let first = pool.submit(move || {
            sets.set();
            waits.wait();
        });
        let second = pool.submit(move || {
            steady.set();
            ready.wait();
        });
        first.result().unwrap();
        second.result().unwrap();
    });
}

#[test]
fn pool_that_shrinks_leaves_no_job_behind() {
    explore(1, || {
        let pool = Pool::builder().workers(2).idle_timeout(SOON).build();
        let pool = pool.unwrap();
        assert_eq!(pool.submit(|| 7).result().unwrap(), 7);
    });
}

#[test]
fn get_many_takes_each_item_once_and_makes_room() {
    explore(3, || {
        let queue = Queue::bounded(2);
        let sink = queue.clone();
        let putter = thread::spawn(move || (1..=3).for_each(|n| sink.put(n).unwrap()));
        let mut items = Vec::new();
        while items.len() < 3 {
            assert!((1..=2).contains(&queue.get_many(&mut items, 2).unwrap()));
        }
        assert_eq!(items, [1, 2, 3]);
        putter.join().unwrap();
    });
}

#[test]
fn put_many_waits_for_room_and_wakes_every_getter() {
    explore(2, || {
        let queue = Queue::bounded(2);
        let getters = [queue.clone(), queue.clone()];
        let getters = getters.map(|source| thread::spawn(move || source.get().unwrap()));
        let mut items = vec![1, 2, 3];
        queue.put_many(&mut items).unwrap();
        assert!(items.is_empty());
        let got: usize = getters.map(|thread| thread.join().unwrap()).iter().sum();
        assert_eq!(got + queue.get().unwrap(), 6);
    });
}

#[test]
fn get_many_wakes_every_putter_it_makes_room_for() {
    explore(2, || {
        let queue = Queue::bounded(2);
        queue.put(0).unwrap();
        queue.put(0).unwrap();
        let putters = [queue.clone(), queue.clone()];
        let putters = putters.map(|sink| thread::spawn(move || sink.put(1).unwrap()));
        let mut items = Vec::new();
        assert_eq!(queue.get_many(&mut items, 2), Ok(2));
        for putter in putters {
            putter.join().unwrap();
        }
        assert_eq!(queue.len(), 2);
    });
}

#[test]
fn bounded_semaphore_refuses_exactly_one_release_too_many() {
    explore(3, || {
        let slots = Arc::new(BoundedSemaphore::new(1));
        slots.acquire();
        let releasers = [slots.clone(), slots.clone()];
        let releasers = releasers.map(|slots| thread::spawn(move || slots.release(1).is_ok()));
        // Given back by one of them.
        slots.acquire();
        let accepted = releasers.map(|thread| thread.join().unwrap());
        // The second may come before or after the permit is taken again.
        let free = accepted.iter().filter(|&&accepted| accepted).count() - 1;
        assert_eq!(slots.available(), free);
    });
}

/// The last-in first-out queue and the priority queue share one engine, with a lock around their store; what
/// differs is the order of the store, and that the engine remembers who holds the lock.
#[test]
fn lifo_queue_hands_over_and_makes_room() {
    explore(3, || {
        let stack = LifoQueue::bounded(1);
        let source = stack.clone();
        let reader = thread::spawn(move || [source.get(), source.get()]);
        stack.put(1).unwrap();
        stack.put(2).unwrap();
        assert_eq!(reader.join().unwrap(), [Ok(1), Ok(2)]);
    });
}

#[test]
fn priority_queue_wakes_the_patient_getter_when_the_hasty_gives_up() {
    explore(2, || {
        let queue = PriorityQueue::unbounded();
        let (patient, hasty) = (queue.clone(), queue.clone());
        let hasty = thread::spawn(move || hasty.get_for(SOON).is_ok());
        let patient = thread::spawn(move || patient.get().unwrap());
        queue.put(1, 'a').unwrap();
        if hasty.join().unwrap() {
            queue.put(2, 'b').unwrap();
        }
        patient.join().unwrap();
        assert!(queue.is_empty());
    });
}

#[test]
fn priority_queue_wakes_getter_and_putter_as_it_is_shut_down() {
    explore(2, || {
        let queue = PriorityQueue::bounded(1);
        queue.put(1, 'a').unwrap();
        let sink = queue.clone();
        let putter = thread::spawn(move || sink.put(2, 'b').is_ok());
        let dropped = queue.shutdown(Shutdown::Immediate);
        let accepted = putter.join().unwrap();
        assert_eq!(dropped.len(), 1 + usize::from(accepted));
        assert!(matches!(queue.get(), Err(GetError::Closed)));
    });
}
