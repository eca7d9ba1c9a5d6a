//! What one model costs on one workload.
//!
//! A model runs in a process of its own, so that its memory, processor time and context switches
//! are its own, those of the processes that it starts included. The time of that process's start
//! is not part of the figures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use crate::{Failed, Model, Outcome, Plan, Workload, checksum, memory};

/// Between two looks at the memory of a model's processes.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);

/// One measurement: a model on a workload.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was done.
    pub workload: Workload,
    /// How it was done.
    pub model: Model,
    /// Tasks that were run.
    pub tasks: u32,
    /// Tasks in flight at once, at most.
    pub concurrency: usize,
    /// Workers, for a pool.
    pub workers: usize,
    /// Seconds from the first task's hand-over until the last result was collected.
    pub wall_s: f64,
    /// Tasks per second of wall time.
    pub tasks_per_s: f64,
    /// Median of the tasks' latencies, from hand-over to the end of the body, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Processor time in user and kernel mode, of the model's process and all its descendants.
    pub cpu_s: f64,
    /// Greatest sum of the resident memory of those processes, sampled every 10 ms.
    pub peak_rss_bytes: u64,
    /// Times that one of those processes gave up its processor to wait.
    pub ctx_voluntary: i64,
    /// Times that the kernel took it away.
    pub ctx_involuntary: i64,
    /// Sum over the tasks' results, which must be the same for every model; sixteen hex digits.
    #[serde(serialize_with = "as_hex")]
    pub checksum: u64,
}

fn as_hex<S: serde::Serializer>(checksum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{checksum:016x}"))
}

/// Runs the plan with this model in a process of its own and says what it cost.
///
/// # Errors
/// When the process cannot be started or dies, or when a task fails.
pub fn measure(model: Model, plan: &Plan) -> Result<Row, Failed> {
    let before = Usage::of(UsageWho::RUSAGE_CHILDREN)?;
    let mut process =
        procs::spawn(run_and_time, (model, *plan)).map_err(Failed::at("starting a measurement"))?;
    let root = process.pid();
    let over = AtomicBool::new(false);
    let (joined, sampled) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(root, &over));
        let joined = process.join();
        over.store(true, Ordering::Relaxed);
        (joined, sampler.join().unwrap_or(0))
    });
    let timed = joined.map_err(Failed::at(format!("running {} by {model}", plan.workload)))??;
    let spent = Usage::of(UsageWho::RUSAGE_CHILDREN)?
        .since(&before)
        .since(&timed.at_start);
    Ok(timed.into_row(model, plan, &spent, sampled))
}

/// Watches the memory of `root` and its descendants until told that it is over.
fn sample(root: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        peak = peak.max(memory::resident_bytes_of_tree(root));
        std::thread::sleep(SAMPLE_EVERY);
    }
    peak
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Usage {
    cpu_s: f64,
    voluntary: i64,
    involuntary: i64,
}

impl Usage {
    fn of(who: UsageWho) -> Result<Self, Failed> {
        let usage = getrusage(who).map_err(Failed::at("reading the resource usage"))?;
        let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Ok(Self {
            cpu_s: cpu_us as f64 / 1e6,
            voluntary: usage.voluntary_context_switches(),
            involuntary: usage.involuntary_context_switches(),
        })
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            cpu_s: (self.cpu_s - earlier.cpu_s).max(0.0),
            voluntary: (self.voluntary - earlier.voluntary).max(0),
            involuntary: (self.involuntary - earlier.involuntary).max(0),
        }
    }
}

/// What the model's own process knows of its run.
#[derive(Debug, Serialize, Deserialize)]
struct Timed {
    at_start: Usage,
    wall_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    checksum: u64,
    own_peak_bytes: u64,
}

/// The body of the model's process.
#[procs::task]
fn run_and_time(model: Model, plan: Plan) -> Result<Timed, Failed> {
    let at_start = Usage::of(UsageWho::RUSAGE_SELF)?;
    let start = Instant::now();
    let outcomes = model.run(&plan)?;
    let wall_s = start.elapsed().as_secs_f64();
    let mut latencies: Vec<u64> = outcomes
        .iter()
        .map(|outcome: &Outcome| outcome.latency_ns)
        .collect();
    latencies.sort_unstable();
    Ok(Timed {
        at_start,
        wall_s,
        p50_ms: percentile_ms(&latencies, 50),
        p99_ms: percentile_ms(&latencies, 99),
        checksum: checksum(&outcomes),
        own_peak_bytes: memory::own_peak_bytes(),
    })
}

/// The smallest value that at least `percent` of the sorted values do not exceed (nearest rank).
fn percentile_ms(sorted_ns: &[u64], percent: usize) -> f64 {
    let rank = (sorted_ns.len() * percent).div_ceil(100).max(1);
    sorted_ns.get(rank - 1).map_or(0.0, |ns| *ns as f64 / 1e6)
}

impl Timed {
    fn into_row(self, model: Model, plan: &Plan, spent: &Usage, sampled_bytes: u64) -> Row {
        Row {
            workload: plan.workload,
            model,
            tasks: plan.tasks,
            concurrency: model.concurrency(plan),
            workers: plan.workers,
            wall_s: self.wall_s,
            tasks_per_s: f64::from(plan.tasks) / self.wall_s,
            p50_ms: self.p50_ms,
            p99_ms: self.p99_ms,
            cpu_s: spent.cpu_s,
            peak_rss_bytes: sampled_bytes.max(self.own_peak_bytes),
            ctx_voluntary: spent.voluntary,
            ctx_involuntary: spent.involuntary,
            checksum: self.checksum,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::percentile_ms;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let sorted: Vec<u64> = (1..=200).map(|ms| ms * 1_000_000).collect();
        assert_eq!(percentile_ms(&sorted, 50), 100.0);
        assert_eq!(percentile_ms(&sorted, 99), 198.0);
        assert_eq!(percentile_ms(&sorted[..1], 99), 1.0);
        assert_eq!(percentile_ms(&[], 50), 0.0);
    }
}
