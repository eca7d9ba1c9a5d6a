//! A queue keeps every value, and its order, whoever is killed in the middle of a put or a get.

use std::thread;
use std::time::{Duration, Instant};

use procs::{
    GetError, JoinableQueue, PutError, Queue, SharedArray, SharedValue, TaskDoneError, WaitError,
};

use crate::common::{LIMIT, signal, stop};

#[test]
fn values_of_any_size_keep_their_order() {
    let queue = Queue::<Vec<u8>>::with_bytes(1000, 10_000).unwrap();
    let mut put = 0_usize;
    let mut got = 0;
    let value = |n: usize| vec![n as u8; n * 7919 % 3000];
    while got < 5000 {
        while put < 5000 && queue.try_put(&value(put)).is_ok() {
            put += 1;
        }
        // Sometimes it becomes empty, sometimes not.
        for _ in 0..1 + put % 5 {
            if got < put {
                assert_eq!(queue.try_get().unwrap(), value(got));
                got += 1;
            }
        }
    }
    assert_eq!(queue.try_get(), Err(GetError::Empty));
    assert!(matches!(
        queue.put(&vec![0; 12_288]),
        Err(PutError::Encode(_))
    ));
    queue.put(&vec![1; 12_200]).unwrap();
    assert_eq!(queue.get().unwrap().len(), 12_200);
}

#[test]
fn full_and_empty_and_closed_are_told() {
    let queue = Queue::<u32>::new(2).unwrap();
    let short = Duration::from_millis(3);
    assert_eq!(queue.get_for(short), Err(GetError::TimedOut));
    assert_eq!(queue.try_get(), Err(GetError::Empty));
    queue.put(&1).unwrap();
    queue.put(&2).unwrap();
    assert_eq!((queue.len(), queue.capacity()), (2, 2));
    assert_eq!(queue.try_put(&3), Err(PutError::Full));
    assert_eq!(queue.put_for(&3, short), Err(PutError::TimedOut));
    assert_eq!(
        queue.put_until(&3, Instant::now() + short),
        Err(PutError::TimedOut)
    );
    queue.close().unwrap();
    queue.close().unwrap();
    assert_eq!(queue.put(&3), Err(PutError::Closed));
    assert_eq!(queue.get_until(Instant::now() + LIMIT), Ok(1));
    assert_eq!(queue.get(), Ok(2));
    assert_eq!(queue.get(), Err(GetError::Closed));
}

#[procs::task]
fn get_all(queue: Queue<u32>) -> Vec<u32> {
    std::iter::from_fn(|| queue.get().ok()).collect()
}

#[procs::task]
fn put_all(queue: Queue<u32>, from: u32, to: u32) {
    for n in from..to {
        queue.put(&n).expect("it is open");
    }
}

#[test]
fn each_value_goes_to_one_reader() {
    let queue = Queue::new(7).unwrap();
    let mut readers = [0; 2].map(|_| procs::spawn(get_all, queue.clone()).unwrap());
    let ranges = [(0, 5000), (5000, 10_000)];
    let mut writers =
        ranges.map(|(from, to)| procs::spawn(put_all, (queue.clone(), from, to)).unwrap());
    for writer in &mut writers {
        writer.join_for(LIMIT).unwrap();
    }
    queue.close().unwrap();
    let mut all = Vec::new();
    for reader in &mut readers {
        let values = reader.join_for(LIMIT).unwrap();
        for (from, to) in ranges {
            assert!(
                values
                    .iter()
                    .filter(|n| (from..to).contains(*n))
                    .is_sorted()
            );
        }
        all.extend(values);
    }
    all.sort_unstable();
    assert_eq!(all, (0..10_000).collect::<Vec<_>>());
}

#[test]
fn join_waits_for_what_was_put() {
    let queue = JoinableQueue::<u32>::new(10).unwrap();
    assert_eq!(queue.join(), Ok(()));
    queue.put(&1).unwrap();
    assert_eq!(queue.task_done(), Err(TaskDoneError::TooMany));
    queue.get().unwrap();
    assert_eq!(
        queue.join_for(Duration::from_millis(3)),
        Err(WaitError::TimedOut)
    );
    let waiter = thread::spawn({
        let queue = queue.clone();
        move || queue.join_for(LIMIT)
    });
    queue.task_done().unwrap();
    assert_eq!(waiter.join().unwrap(), Ok(()));
    assert_eq!(queue.task_done(), Err(TaskDoneError::TooMany));
}

#[test]
fn joins_have_time_limits() {
    let queue = JoinableQueue::<u32>::with_bytes(10, 4096).unwrap();
    queue.put(&1).unwrap();
    let soon = Instant::now() + Duration::from_millis(3);
    assert_eq!(queue.join_until(soon), Err(WaitError::TimedOut));
    assert_eq!(queue.join_for(Duration::ZERO), Err(WaitError::TimedOut));
}

#[test]
fn iterators_end_when_the_queue_is_closed_or_empty() {
    let queue = JoinableQueue::<u32>::new(10).unwrap();
    assert_eq!(queue.try_iter().count(), 0);
    (0..3).for_each(|n| queue.put(&n).unwrap());
    let values: Result<Vec<_>, _> = queue.try_iter().collect();
    assert_eq!(values, Ok(vec![0, 1, 2]));
    (3..5).for_each(|n| queue.put(&n).unwrap());
    queue.close().unwrap();
    let mut values = Vec::new();
    for value in &queue {
        values.push(value.unwrap());
    }
    assert_eq!(values, [3, 4]);
}

#[test]
fn values_without_bytes_and_queues_without_room() {
    let queue = Queue::<()>::new(3).unwrap();
    (0..3).for_each(|_| queue.put(&()).unwrap());
    assert_eq!(queue.try_put(&()), Err(PutError::Full));
    assert_eq!(queue.iter().take(3).filter(Result::is_ok).count(), 3);
    let error = Queue::<()>::new(0).unwrap_err();
    assert!(error.to_string().contains("at least one item"), "{error}");
    assert!(JoinableQueue::<u8>::with_bytes(0, 4096).is_err());
    assert_eq!(
        Queue::<u8>::with_bytes(usize::MAX, 1).unwrap().capacity(),
        usize::MAX
    );
}

/// A number and bytes that depend on it: whoever reads a torn value sees it.
type Ticket = (u32, Vec<u8>);

fn ticket(number: u32) -> Ticket {
    (number, vec![number as u8; number as usize % 300])
}

#[procs::task]
fn put_tickets(queue: Queue<Ticket>, next: SharedValue<u32>) {
    loop {
        let number = next.update(|n| n + 1);
        queue.put(&ticket(number)).expect("it is open");
    }
}

#[procs::task]
fn get_tickets(queue: Queue<Ticket>, seen: SharedArray<u8>) {
    loop {
        let got = queue.get().expect("it is open");
        assert_eq!(got, ticket(got.0));
        seen.update(got.0 as usize, |count| count + 1);
    }
}

#[test]
fn kills_lose_at_most_what_the_dead_held() {
    let queue = Queue::<Ticket>::with_bytes(20, 4096).unwrap();
    let next = SharedValue::new(0_u32).unwrap();
    let seen = SharedArray::<u8>::new(1 << 26).unwrap();
    let mut kills = 0;
    for round in 0_u64..40 {
        let mut writers =
            [0; 2].map(|_| procs::spawn(put_tickets, (queue.clone(), next.clone())).unwrap());
        let mut readers =
            [0; 2].map(|_| procs::spawn(get_tickets, (queue.clone(), seen.clone())).unwrap());
        thread::sleep(Duration::from_micros(2000 + round * 7919 % 3001));
        for process in writers.iter().chain(&readers) {
            process.kill().unwrap();
            thread::sleep(Duration::from_micros(round * 104_729 % 211));
        }
        kills += 4;
        for process in writers.iter_mut().chain(&mut readers) {
            assert!(matches!(
                process.join_for(LIMIT),
                Err(procs::ProcessError::Died { status, .. }) if status.signal() == Some(9)
            ));
        }
        // Nobody is left who could hold anything, and the queue still works.
        while let Ok(got) = queue.get_for(Duration::from_millis(1)) {
            assert_eq!(got, ticket(got.0));
            seen.update(got.0 as usize, |count| count + 1);
        }
        let number = next.update(|n| n + 1);
        queue.put_for(&ticket(number), LIMIT).unwrap();
        assert_eq!(queue.get_for(LIMIT), Ok(ticket(number)));
        seen.update(number as usize, |count| count + 1);
    }
    let issued = next.get() as usize;
    let counts: Vec<_> = (0..issued).map(|n| seen.get(n)).collect();
    assert!(counts.iter().all(|count| *count <= 1), "one was got twice");
    let lost = counts.iter().filter(|count| **count == 0).count();
    assert!(lost <= kills, "{lost} of {issued} lost in {kills} kills");
    assert!(issued > 1000, "only {issued} were put");
}

#[test]
fn a_stopped_user_stops_nobody_for_ever() {
    let queue = Queue::<Ticket>::with_bytes(20, 4096).unwrap();
    let next = SharedValue::new(0_u32).unwrap();
    let writer = procs::spawn(put_tickets, (queue.clone(), next)).unwrap();
    for _ in 0..20 {
        queue.get_for(LIMIT).unwrap();
        stop(writer.pid());
        // It may hold the queue's lock: then this is late, but it returns.
        let _ = queue.get_for(Duration::from_millis(1));
        let _ = queue.try_get();
        signal(writer.pid(), "CONT");
    }
    stop(writer.pid());
    writer.kill().unwrap();
    while queue.get_for(Duration::from_millis(20)).is_ok() {}
    queue.put_for(&ticket(1), LIMIT).unwrap();
    assert_eq!(queue.get_for(LIMIT), Ok(ticket(1)));
}
