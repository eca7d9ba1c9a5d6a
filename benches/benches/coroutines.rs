//! `coroutines` against its peers.
//!
//! `cargo bench -p benches --bench coroutines -- table` prints every target as a ratio, measured in one run;
//! without `table`, criterion measures each case by itself as well.

use benches::peers;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;

fn main() {
    if peers::print_when_asked(peers::coroutines::rows) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    groups(&mut criterion);
    criterion.final_summary();
}

fn groups(criterion: &mut Criterion) {
    const ITEMS: u64 = 10_000;
    let mut group = criterion.benchmark_group("coroutines");
    group.throughput(Throughput::Elements(ITEMS));
    for (name, case) in peers::coroutines::ALL {
        group.bench_with_input(BenchmarkId::from_parameter(name), case, |bencher, case| {
            bencher.iter(|| case(black_box(ITEMS)));
        });
    }
    group.finish();
}
