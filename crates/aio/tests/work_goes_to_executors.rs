//! Executors: threads, a hand-made one; what they give back, panic, give up, and who still waits.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, ThreadId},
};

use aio::{Done, EventLoop, Executor, TaskError, Threads};

/// One thread that works off messages in their order, and gives up on zero.
struct Squares {
    jobs: mpsc::Sender<(u64, Done<u64>)>,
    thread: thread::JoinHandle<usize>,
}

impl Squares {
    fn new() -> Self {
        let (jobs, waiting) = mpsc::channel::<(u64, Done<u64>)>();
        let thread = thread::spawn(move || {
            let mut done_count = 0;
            for (number, done) in waiting {
                done_count += 1;
                match number {
                    0 => drop(done),
                    13 => done.run(|| panic!("not that one")),
                    _ => done.set(number * number),
                }
            }
            done_count
        });
        Squares { jobs, thread }
    }

    fn end(self) -> usize {
        drop(self.jobs);
        self.thread.join().unwrap()
    }
}

impl Executor<u64> for Squares {
    type Output = u64;

    fn execute(&self, number: u64, done: Done<u64>) {
        self.jobs
            .send((number, done))
            .expect("it works until it is ended");
    }
}

#[test]
fn a_hand_made_executor_gives_values_panics_and_what_it_gave_up() {
    let squares = Squares::new();
    let results = aio::run(async {
        let event_loop = aio::get_running_loop().unwrap();
        let numbers = [3, 0, 13, 5].map(|number| event_loop.run_in_executor(&squares, number));
        aio::gather_settled(numbers).await
    })
    .unwrap();
    assert_eq!((&results[0], &results[3]), (&Ok(9), &Ok(25)));
    assert!(
        matches!(&results[1], Err(TaskError::Cancelled(why)) if why.message().unwrap().contains("gave"))
    );
    assert!(
        matches!(&results[2], Err(TaskError::Panicked(why)) if why.message() == "not that one")
    );
    assert_eq!(squares.end(), 4);
}

#[test]
fn work_begins_before_it_is_awaited_and_goes_on_when_nobody_awaits_it() {
    let event_loop = EventLoop::new().unwrap();
    let (begun, has_begun) = mpsc::channel();
    let work = event_loop.run_in_executor(&Threads, move || begun.send(()).unwrap());
    has_begun
        .recv()
        .expect("it begins though the loop does not run");
    assert_eq!(event_loop.run_until_complete(work).unwrap(), Ok(()));

    let squares = Squares::new();
    drop(event_loop.run_in_executor(&squares, 7));
    assert_eq!(squares.end(), 1);
}

#[test]
fn an_executor_can_see_that_nobody_waits() {
    struct Keep(mpsc::Sender<Done<()>>);
    impl Executor<()> for Keep {
        type Output = ();
        fn execute(&self, (): (), done: Done<()>) {
            self.0.send(done).unwrap();
        }
    }
    let event_loop = EventLoop::new().unwrap();
    let (given, kept) = mpsc::channel();
    let waiting = event_loop.run_in_executor(&Keep(given), ());
    let done = kept.recv().unwrap();
    assert!(!done.is_abandoned());
    drop(waiting);
    assert!(done.is_abandoned());
    done.set(());
}

#[test]
fn threads_work_at_the_same_time_while_the_loop_goes_on() {
    let here = thread::current().id();
    aio::run(async {
        let event_loop = aio::get_running_loop().unwrap();
        let (meeting, released) = (Arc::new(Barrier::new(3)), Arc::new(AtomicBool::new(false)));
        let workers: [_; 3] = std::array::from_fn(|_| {
            let (meeting, released) = (meeting.clone(), released.clone());
            event_loop.run_in_executor(&Threads, move || -> ThreadId {
                // Only ends when all three are there, and the loop has run meanwhile.
                meeting.wait();
                while !released.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                thread::current().id()
            })
        });
        aio::yield_now().await;
        released.store(true, Ordering::Release);
        let places = aio::gather(workers).await.unwrap();
        assert!(places.iter().all(|place| *place != here));
        let panicked = event_loop
            .run_in_executor(&Threads, || panic!("as asked"))
            .await;
        assert!(matches!(panicked, Err(TaskError::Panicked(_))));
    })
    .unwrap();
}

#[test]
fn a_closed_loop_takes_no_work() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.close().unwrap();
    let refused = event_loop.run_in_executor(&Threads, || unreachable!("the loop is closed"));
    let result = aio::run(refused).unwrap();
    assert_eq!(result, Err(TaskError::LoopClosed));
}
