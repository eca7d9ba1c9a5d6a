//! Messages from putting to getting threads.

use super::Figures;
use crate::peers::{Contest, Row, Target};
use std::hint::black_box;
use std::time::Instant;
use threads::{Queue, SimpleQueue};

/// A queue as the load needs it; each side gets a clone.
trait Channel: Clone + Send {
    fn put(&self, message: u64);
    /// Takes at least one message and returns how many.
    fn get(&self) -> usize;
}

#[derive(Clone)]
struct Ours(Queue<u64>);

impl Channel for Ours {
    fn put(&self, message: u64) {
        self.0.put(message).expect("open");
    }

    fn get(&self) -> usize {
        black_box(self.0.get().expect("open"));
        1
    }
}

#[derive(Clone)]
struct Accounted(Queue<u64>);

impl Channel for Accounted {
    fn put(&self, message: u64) {
        self.0.put(message).expect("open");
    }

    fn get(&self) -> usize {
        black_box(self.0.get().expect("open"));
        self.0.task_done().expect("taken");
        1
    }
}

#[derive(Clone)]
struct Simple(SimpleQueue<u64>);

impl Channel for Simple {
    fn put(&self, message: u64) {
        self.0.put(message);
    }

    fn get(&self) -> usize {
        black_box(self.0.get());
        1
    }
}

#[derive(Clone)]
struct Crossbeam(
    crossbeam_channel::Sender<u64>,
    crossbeam_channel::Receiver<u64>,
);

impl Channel for Crossbeam {
    fn put(&self, message: u64) {
        self.0.send(message).expect("open");
    }

    fn get(&self) -> usize {
        black_box(self.1.recv().expect("open"));
        1
    }
}

#[derive(Clone)]
struct Kanal(kanal::Sender<u64>, kanal::Receiver<u64>);

impl Channel for Kanal {
    fn put(&self, message: u64) {
        self.0.send(message).expect("open");
    }

    fn get(&self) -> usize {
        black_box(self.1.recv().expect("open"));
        1
    }
}

/// How many threads put and how many get, and how many messages.
#[derive(Clone, Copy)]
struct Load {
    pairs: usize,
    messages: usize,
}

impl Load {
    /// Nanoseconds per message.
    fn run(self, channel: impl Channel) -> f64 {
        let each = self.messages / self.pairs;
        let start = Instant::now();
        std::thread::scope(|s| {
            for _ in 0..self.pairs {
                let (sink, source) = (channel.clone(), channel.clone());
                s.spawn(move || (0..each as u64).for_each(|n| sink.put(n)));
                s.spawn(move || {
                    let mut got = 0;
                    while got < each {
                        got += source.get();
                    }
                });
            }
        });
        start.elapsed().as_nanos() as f64 / (each * self.pairs) as f64
    }

    /// Nanoseconds per message with one batch-getting thread; `put` takes how many a thread has to put.
    fn run_batched(self, queue: &Queue<u64>, put: fn(&Queue<u64>, u64)) -> f64 {
        let start = Instant::now();
        std::thread::scope(|s| {
            for _ in 0..self.pairs {
                let each = (self.messages / self.pairs) as u64;
                s.spawn(move || put(queue, each));
            }
            let mut batch = Vec::with_capacity(BATCH);
            let mut got = 0;
            while got < self.messages {
                got += queue.get_many(&mut batch, BATCH).expect("open");
                black_box(&mut batch).clear();
            }
        });
        start.elapsed().as_nanos() as f64 / self.messages as f64
    }
}

/// Items put or taken by one call.
const BATCH: usize = 128;

fn put_each(queue: &Queue<u64>, messages: u64) {
    (0..messages).for_each(|n| queue.put(n).expect("open"));
}

fn put_batches(queue: &Queue<u64>, messages: u64) {
    let mut batch = Vec::with_capacity(BATCH);
    for n in 0..messages {
        batch.push(n);
        if batch.len() == BATCH {
            queue.put_many(&mut batch).expect("open");
        }
    }
    queue.put_many(&mut batch).expect("open");
}

fn queue(capacity: Option<usize>) -> Queue<u64> {
    capacity.map_or_else(Queue::unbounded, Queue::bounded)
}

fn crossbeam(capacity: Option<usize>) -> Crossbeam {
    let (put, get) = match capacity {
        Some(capacity) => crossbeam_channel::bounded(capacity),
        None => crossbeam_channel::unbounded(),
    };
    Crossbeam(put, get)
}

fn kanal_channel(capacity: Option<usize>) -> Kanal {
    let (put, get) = match capacity {
        Some(capacity) => kanal::bounded(capacity),
        None => kanal::unbounded(),
    };
    Kanal(put, get)
}

const BOTH: &[&str] = &["crossbeam-channel", "kanal"];

fn goals(contest: Contest<'_>, capacity: Option<usize>) -> Contest<'_> {
    let contest = match capacity {
        None => contest
            .goal("ours", &["crossbeam-channel"], Target::Ratio(1.0))
            .goal("ours", &["kanal"], Target::Stretch(1.0)),
        Some(1) => contest.goal("ours", BOTH, Target::Ratio(0.85)),
        Some(_) => contest
            .goal("ours", BOTH, Target::Ratio(1.1))
            .goal("with task accounting", BOTH, Target::Ratio(1.4))
            .goal("by get_many", &["ours"], Target::Ratio(1.0 / 3.0))
            .goal("by put_many, get_many", &["ours"], Target::Ratio(1.0 / 3.0)),
    };
    contest.goal("ours", &["CPython queue.Queue"], Target::Ratio(1.0 / 40.0))
}

fn entrants<'a>(contest: Contest<'a>, load: Load, capacity: Option<usize>) -> Contest<'a> {
    let contest = contest
        .entrant("ours", move || load.run(Ours(queue(capacity))))
        .entrant("with task accounting", move || {
            load.run(Accounted(queue(capacity)))
        })
        .entrant("crossbeam-channel", move || load.run(crossbeam(capacity)))
        .entrant("kanal", move || load.run(kanal_channel(capacity)));
    match capacity {
        None => contest
            .entrant("SimpleQueue", move || load.run(Simple(SimpleQueue::new())))
            .goal("SimpleQueue", &["crossbeam-channel"], Target::None),
        Some(_) => contest
            .entrant("by get_many", move || {
                load.run_batched(&queue(capacity), put_each)
            })
            .entrant("by put_many, get_many", move || {
                load.run_batched(&queue(capacity), put_batches)
            }),
    }
}

/// Every combination of bound and threads.
pub fn rows(rounds: usize, python: &Figures) -> Vec<Row> {
    let mut rows = Vec::new();
    for capacity in [None, Some(128), Some(1)] {
        for pairs in [1, 2] {
            let messages = if capacity == Some(1) {
                100_000
            } else {
                500_000
            };
            let load = Load { pairs, messages };
            let name = match capacity {
                Some(capacity) => format!("Queue({capacity}) {pairs}P{pairs}C"),
                None => format!("Queue unbounded {pairs}P{pairs}C"),
            };
            let original = python.get(&format!("queue/{}/{pairs}", capacity.unwrap_or(0)));
            let contest =
                Contest::new("threads", name).fixed("CPython queue.Queue", original.copied());
            let contest = entrants(contest, load, capacity);
            rows.extend(goals(contest, capacity).run(rounds));
        }
    }
    rows
}
