//! What the model benches share: one criterion group, a line for each workload and model.

use std::time::Duration;

use benches::{Model, Plan, Service, Workload};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Benches every model on these workloads, `tasks` tasks an iteration, in a group of this name.
///
/// Starting the model, and its workers if it has some, is part of an iteration: it is what the
/// model costs whoever runs a batch.
pub fn bench(group: &str, workloads: &[Workload], tasks: u32) {
    let service = workloads
        .iter()
        .any(|workload| workload.needs_service())
        .then(|| Service::start().expect("services"));
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(group);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(u64::from(tasks)));
    for &workload in workloads {
        let services = service.as_ref().map(Service::addresses);
        let plan = Plan {
            services,
            ..Plan::new(workload, tasks)
        };
        for model in Model::ALL {
            group.bench_with_input(
                BenchmarkId::new(workload.to_string(), model),
                &plan,
                |bencher, plan| {
                    bencher.iter(|| model.run(plan).expect("every task succeeds"));
                },
            );
        }
    }
    group.finish();
    criterion.final_summary();
}
