//! Messages from putting to getting threads.

use crate::python;
use crate::table::{Case, Goal, Row, measure};
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

    /// Nanoseconds per message with one batch-getting thread.
    fn run_batched(self, queue: Queue<u64>) -> f64 {
        let start = Instant::now();
        std::thread::scope(|s| {
            for _ in 0..self.pairs {
                let sink = queue.clone();
                let each = (self.messages / self.pairs) as u64;
                s.spawn(move || (0..each).for_each(|n| sink.put(n).expect("open")));
            }
            let mut batch = Vec::with_capacity(128);
            let mut got = 0;
            while got < self.messages {
                got += queue.get_many(&mut batch, 128).expect("open");
                black_box(&mut batch).clear();
            }
        });
        start.elapsed().as_nanos() as f64 / self.messages as f64
    }
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

const PYTHON: Goal = Goal {
    ours: "ours",
    peers: &["python queue.Queue"],
    target: 1.0 / 40.0,
};

fn goals(capacity: Option<usize>) -> Vec<Goal> {
    let both = &["crossbeam-channel", "kanal"];
    let goal = |ours, peers, target| Goal {
        ours,
        peers,
        target,
    };
    match capacity {
        None => vec![
            goal("ours", &["crossbeam-channel"], 1.0),
            goal("ours", &["kanal"], 1.0),
            PYTHON,
        ],
        Some(1) => vec![goal("ours", both, 0.85), PYTHON],
        Some(_) => vec![
            goal("ours", both, 1.1),
            goal("ours, task accounting", both, 1.4),
            goal("ours, get_many", &["ours"], 1.0 / 3.0),
            PYTHON,
        ],
    }
}

/// Every combination of bound and threads.
pub fn rows(rounds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for capacity in [None, Some(128), Some(1)] {
        for pairs in [1, 2] {
            let messages = if capacity == Some(1) {
                100_000
            } else {
                500_000
            };
            let load = Load { pairs, messages };
            let mut cases: Vec<Case> = vec![
                ("ours", Box::new(move || load.run(Ours(queue(capacity))))),
                (
                    "ours, task accounting",
                    Box::new(move || load.run(Accounted(queue(capacity)))),
                ),
                (
                    "crossbeam-channel",
                    Box::new(move || load.run(crossbeam(capacity))),
                ),
                ("kanal", Box::new(move || load.run(kanal_channel(capacity)))),
            ];
            match capacity {
                None => cases.push((
                    "ours, SimpleQueue",
                    Box::new(move || load.run(Simple(SimpleQueue::new()))),
                )),
                Some(_) => cases.push((
                    "ours, get_many",
                    Box::new(move || load.run_batched(queue(capacity))),
                )),
            }
            if let Some(nanos) = python::queue(capacity.unwrap_or(0), pairs) {
                // Slow and steady: measured once.
                cases.push(("python queue.Queue", Box::new(move || nanos)));
            }
            let name = match capacity {
                Some(capacity) => format!("Queue({capacity}) {pairs}P{pairs}C"),
                None => format!("Queue unbounded {pairs}P{pairs}C"),
            };
            rows.push(measure(name, rounds, cases, goals(capacity)));
        }
    }
    rows
}
