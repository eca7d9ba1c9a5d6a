//! The `threads` crate against its peers: a table of every row with its target, then criterion's group `threads`.
//!
//! `cargo bench -p benches --bench threads` (or, for the table alone, `-- table`)
//!
//! Each case of a row runs once in each of several rounds, in turn, so that what else happens on the machine hits
//! all of them. A ratio is one of medians.

mod locks;
mod pools;
mod python;
mod queues;
mod table;

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use threads::{Pool, Queue};

/// Rounds of the table.
const ROUNDS: usize = 9;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    // `cargo test --benches` asks for one quick pass.
    let rounds = if given("--test") { 1 } else { ROUNDS };
    let mut rows = queues::rows(rounds);
    rows.extend(locks::rows(rounds));
    rows.extend(pools::rows(rounds));
    table::print(&rows);
    if !given("table") {
        let mut criterion = Criterion::default().configure_from_args();
        group(&mut criterion);
        criterion.final_summary();
    }
}

/// What one thread can measure precisely.
fn group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("threads");
    group.throughput(Throughput::Elements(1));
    let queue = Queue::unbounded();
    group.bench_function("queue/unbounded/put+get", |b| {
        b.iter(|| {
            queue.put(black_box(1)).expect("open");
            queue.get().expect("open")
        });
    });
    let queue = Queue::bounded(128);
    group.bench_function("queue/128/put+get+task_done", |b| {
        b.iter(|| {
            queue.put(black_box(1)).expect("open");
            queue.get().expect("open");
            queue.task_done().expect("taken");
        });
    });
    let pool = Pool::new(2).expect("threads");
    group.bench_function("pool/submit+result", |b| {
        b.iter(|| pool.submit(|| black_box(1)).result().expect("a value"));
    });
    group.finish();
}
