//! The `aio` crate by itself, in criterion's group `aio`; and against its peers, as a table.
//!
//! `cargo bench -p benches --bench aio` (or, for the table, `-- table`)

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::peers;
use criterion::{Criterion, Throughput};

fn main() {
    procs::init();
    if peers::print_when_asked(peers::aio::rows) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    group(&mut criterion);
    criterion.final_summary();
}

/// Runs `body` on a loop and gives the time it took.
fn timed(body: impl AsyncFn()) -> Duration {
    let start = Instant::now();
    aio::run(body()).expect("a loop");
    start.elapsed()
}

/// What one loop does over and over. The loop's making and closing is spread over the iterations.
fn group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aio");
    group.throughput(Throughput::Elements(1));
    group.bench_function("spawn and await, one at a time", |b| {
        b.iter_custom(|times| {
            timed(async || {
                for n in 0..times {
                    black_box(aio::create_task(async move { n }).await.expect("a value"));
                }
            })
        });
    });
    group.bench_function("yield to the loop, one task", |b| {
        b.iter_custom(|times| {
            timed(async || {
                for _ in 0..times {
                    aio::yield_now().await;
                }
            })
        });
    });
    group.bench_function("Queue unbounded, put and get by one task", |b| {
        let queue = aio::sync::Queue::unbounded();
        b.iter(|| {
            queue.try_put(black_box(1)).expect("open");
            queue.try_get().expect("an item")
        });
    });
    group.finish();
}
