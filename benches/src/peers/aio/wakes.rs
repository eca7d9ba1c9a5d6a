//! From the loop to another thread and back.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::{Figures, tokio};
use crate::peers::{Contest, Row, Target};

const TRIPS: u32 = 10_000;

/// One row. Both sides sleep between the turns, so much of it is the kernel's waking of threads.
pub fn rows(rounds: usize, python: &Figures) -> Vec<Row> {
    Contest::new("aio", "wake from another thread, round trip")
        .entrant("ours", ours)
        .entrant("tokio current-thread", tokio_wakes)
        .fixed(
            "asyncio call_soon_threadsafe",
            python.get("threadsafe").copied(),
        )
        .goal("ours", &["tokio current-thread"], Target::None)
        .goal(
            "ours",
            &["asyncio call_soon_threadsafe"],
            Target::Ratio(0.25),
        )
        .run(rounds)
}

fn per_trip(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / f64::from(TRIPS)
}

/// A thread that answers what is asked, until nobody can ask.
fn answering<T: Send + 'static>(answer: impl Fn(T) + Send + 'static) -> mpsc::Sender<T> {
    let (ask, asked) = mpsc::channel();
    thread::spawn(move || asked.into_iter().for_each(answer));
    ask
}

fn ours() -> f64 {
    let measured = aio::run(async {
        let handle = aio::get_running_loop().expect("this one").handle();
        let ask = answering(move |number: u32| {
            let arrive = move || ARRIVED.with(|arrived| arrived.put(number));
            handle.call_soon_threadsafe(arrive).expect("it is open");
        });
        let start = Instant::now();
        for number in 0..TRIPS {
            ask.send(number).expect("the thread is there");
            let arrived = ARRIVED.with(Arrived::clone);
            assert_eq!(arrived.get().await, number);
        }
        per_trip(start)
    });
    measured.expect("a loop")
}

/// The queue of this thread's loop.
#[derive(Clone)]
struct Arrived(std::rc::Rc<aio::sync::Queue<u32>>);

thread_local! {
    static ARRIVED: Arrived = Arrived(std::rc::Rc::new(aio::sync::Queue::unbounded()));
}

impl Arrived {
    fn put(&self, number: u32) {
        self.0.try_put(number).expect("open");
    }

    async fn get(&self) -> u32 {
        self.0.get().await.expect("open")
    }
}

fn tokio_wakes() -> f64 {
    tokio().block_on(async {
        let (put, mut arrived) = tokio::sync::mpsc::unbounded_channel();
        let ask = answering(move |number: u32| put.send(number).expect("open"));
        let start = Instant::now();
        for number in 0..TRIPS {
            ask.send(number).expect("the thread is there");
            assert_eq!(arrived.recv().await, Some(number));
        }
        per_trip(start)
    })
}
