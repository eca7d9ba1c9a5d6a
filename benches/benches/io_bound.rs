//! Every model on the IO-bound workloads, a batch of tasks an iteration.

mod models;

use benches::Workload;

fn main() {
    procs::init();
    models::bench("io_bound", &[Workload::Echo, Workload::Http], 50);
}
