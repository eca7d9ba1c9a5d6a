//! The `threads` crate by itself, on one thread, in criterion's group `threads`; and against its peers, as a table.
//!
//! `cargo bench -p benches --bench threads` (or, for the table, `-- table`)

use benches::peers;
use criterion::{Criterion, Throughput};
use std::hint::black_box;
use threads::{Pool, Queue};

fn main() {
    if peers::print_when_asked(peers::threads::rows) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    group(&mut criterion);
    criterion.final_summary();
}

/// What one thread can measure precisely.
fn group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("threads");
    group.throughput(Throughput::Elements(1));
    let queue = Queue::unbounded();
    group.bench_function("Queue unbounded, put and get by one thread", |b| {
        b.iter(|| {
            queue.put(black_box(1)).expect("open");
            queue.get().expect("open")
        });
    });
    let queue = Queue::bounded(128);
    group.bench_function("Queue(128), with task accounting, by one thread", |b| {
        b.iter(|| {
            queue.put(black_box(1)).expect("open");
            queue.get().expect("open");
            queue.task_done().expect("taken");
        });
    });
    let pool = Pool::new(2).expect("threads");
    group.bench_function("submit and result, one outstanding", |b| {
        b.iter(|| pool.submit(|| black_box(1)).result().expect("a value"));
    });
    group.finish();
}
