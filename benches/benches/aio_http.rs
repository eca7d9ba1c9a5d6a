//! `aio`'s HTTP server by itself, in criterion's group `aio_http`; and against its peers, as a table.
//!
//! `cargo bench -p benches --bench aio_http` (or, for the table, `-- table`)

use benches::peers;
use benches::peers::aio_http::{Alone, Case};
use criterion::{Criterion, Throughput};

fn main() {
    procs::init();
    if peers::print_when_asked(peers::aio_http::rows) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    group(&mut criterion);
    criterion.final_summary();
}

/// What is measured is the processor time of the server's process, as in the table; the cases have its names.
fn group(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aio_http");
    group.throughput(Throughput::Elements(1));
    let ours = Alone::start();
    for case in Case::all() {
        group.bench_function(case.name, |b| {
            b.iter_custom(|requests| ours.cpu(&case, requests));
        });
    }
    group.finish();
}
