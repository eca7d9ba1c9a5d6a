//! The `procs` crate by itself, in criterion's group `procs`; and against its peers, as a table.
//!
//! `cargo bench -p benches --bench procs` (or, for the table, `-- table`)

use benches::peers;
use criterion::{Criterion, Throughput};
use procs::{Pool, Queue};
use std::hint::black_box;

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

fn main() {
    procs::init();
    peers::procs::init();
    if peers::print_when_asked(peers::procs::rows) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    group(&mut criterion);
    criterion.final_summary();
}

fn group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("procs");
    group.throughput(Throughput::Elements(1));
    let pool = Pool::new(2).expect("it starts");
    group.bench_function("apply, one outstanding", |b| {
        b.iter(|| pool.apply(square, black_box(3)).expect("it runs"));
    });
    let queue = Queue::new(128).expect("there is memory");
    group.bench_function("Queue of 16 bytes, put and get by one process", |b| {
        b.iter(|| {
            queue.put(&black_box([1_u64, 2])).expect("it is open");
            queue.get().expect("it is open")
        });
    });
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("map of tiny tasks", |b| {
        b.iter(|| {
            pool.map_collect(square, 0..black_box(10_000))
                .expect("they run")
        });
    });
    group.finish();
}
