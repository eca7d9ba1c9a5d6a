//! Every model on the CPU-bound workloads, a batch of tasks an iteration.

mod models;

use benches::Workload;

fn main() {
    procs::init();
    models::bench("cpu_bound", &[Workload::Pi, Workload::Primes], 8);
}
