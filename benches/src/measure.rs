//! What one model costs on one workload.
//!
//! A model runs in a process of its own, so that its memory, processor time and context switches
//! are its own, those of the processes that it starts included. The time of that process's start
//! is not part of the figures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use procs::{Process, ProcessError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Contender, Failed, Language, Outcome, Plan, memory, python};

/// Between two looks at the memory of a model's processes.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);

/// One measurement of one contender on one plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Seconds from the first task's hand-over until the last result was collected.
    pub wall_s: f64,
    /// Median of the tasks' latencies in milliseconds.
    pub p50_ms: f64,
    /// 90th percentile of the same.
    pub p90_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Greatest of the same.
    pub max_ms: f64,
    /// Processor seconds, user and kernel, of the contender's processes.
    pub cpu_s: f64,
    /// Greatest sum of those processes' resident memory.
    pub peak_rss_bytes: u64,
    /// Times that one of them gave up its processor to wait.
    pub ctx_voluntary: i64,
    /// Times that the kernel took it away.
    pub ctx_involuntary: i64,
    /// Each task's checksum, by the tasks' numbers.
    pub checksums: Vec<u64>,
}

impl Run {
    /// The sum over the tasks' checksums.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.checksums
            .iter()
            .fold(0, |sum, checksum| sum.wrapping_add(*checksum))
    }
}

/// Runs the plan with this contender in a process of its own and says what it cost.
///
/// # Errors
/// When the process cannot be started, dies, or has not ended after `limit`, when it is killed with all that it
/// started; when a task fails.
pub fn measure(contender: Contender, plan: &Plan, limit: Duration) -> Result<Run, Failed> {
    let before = Usage::of(UsageWho::RUSAGE_CHILDREN)?;
    // Whatever way this function is left, the process does not outlive it: a daemon dies with its handle.
    let mut process = Process::builder()
        .daemon(true)
        .spawn(run_and_time, (contender, plan.clone()))
        .map_err(Failed::at("starting a measurement"))?;
    let root = process.pid();
    let over = AtomicBool::new(false);
    let (joined, sampled) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(contender.language, root, &over));
        let joined = process.join_for(limit);
        over.store(true, Ordering::Relaxed);
        (joined, sampler.join().unwrap_or(0))
    });
    let step = || format!("running {} by {contender}", plan.workload);
    let timed = match joined {
        Err(ProcessError::TimedOut) => return Err(too_slow(step(), process, limit)),
        joined => joined.map_err(Failed::at(step()))??,
    };
    let spent = Usage::of(UsageWho::RUSAGE_CHILDREN)?
        .since(&before)
        .since(&timed.at_start);
    Ok(timed.into_run(&spent, sampled))
}

/// Ends a process that takes too long, and says so.
fn too_slow<R: DeserializeOwned>(step: String, mut process: Process<R>, limit: Duration) -> Failed {
    if process.kill().is_ok() {
        let _ = process.join();
    }
    let seconds = limit.as_secs();
    Failed::new(
        step,
        format!(
            "it had not ended after {seconds} s and was killed (allow more with --limit, or less work with --tasks)"
        ),
    )
}

/// Watches the memory of `root` and its descendants until told that it is over. An interpreter's parent only waits for
/// it, and does not count.
fn sample(language: Language, root: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        peak = peak.max(match language {
            Language::Rust => memory::resident_bytes_of_tree(root),
            Language::Python => memory::resident_bytes_below(root),
        });
        std::thread::sleep(SAMPLE_EVERY);
    }
    peak
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
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

/// What the contender's own process knows of its run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Timed {
    /// What the process had used when the first task was handed over.
    pub at_start: Usage,
    pub wall_s: f64,
    pub outcomes: Vec<Outcome>,
    pub own_peak_bytes: u64,
}

/// The body of the contender's process.
#[procs::task]
fn run_and_time(contender: Contender, plan: Plan) -> Result<Timed, Failed> {
    if contender.language == Language::Python {
        return python::run(contender.model, &plan);
    }
    let at_start = Usage::of(UsageWho::RUSAGE_SELF)?;
    let start = Instant::now();
    let outcomes = contender.model.run(&plan)?;
    Ok(Timed {
        at_start,
        wall_s: start.elapsed().as_secs_f64(),
        outcomes,
        own_peak_bytes: memory::own_peak_bytes(),
    })
}

/// The smallest value that at least `percent` of the sorted values do not exceed (nearest rank).
fn percentile_ms(sorted_ns: &[u64], percent: usize) -> f64 {
    let rank = (sorted_ns.len() * percent).div_ceil(100).max(1);
    sorted_ns.get(rank - 1).map_or(0.0, |ns| *ns as f64 / 1e6)
}

impl Timed {
    fn into_run(self, spent: &Usage, sampled_bytes: u64) -> Run {
        let mut outcomes = self.outcomes;
        let mut latencies: Vec<u64> = outcomes.iter().map(|outcome| outcome.latency_ns).collect();
        latencies.sort_unstable();
        outcomes.sort_unstable_by_key(|outcome| outcome.index);
        Run {
            wall_s: self.wall_s,
            p50_ms: percentile_ms(&latencies, 50),
            p90_ms: percentile_ms(&latencies, 90),
            p99_ms: percentile_ms(&latencies, 99),
            max_ms: percentile_ms(&latencies, 100),
            cpu_s: spent.cpu_s,
            peak_rss_bytes: sampled_bytes.max(self.own_peak_bytes),
            ctx_voluntary: spent.voluntary,
            ctx_involuntary: spent.involuntary,
            checksums: outcomes.iter().map(|outcome| outcome.checksum).collect(),
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
        assert_eq!(percentile_ms(&sorted, 100), 200.0);
        assert_eq!(percentile_ms(&sorted[..1], 99), 1.0);
        assert_eq!(percentile_ms(&[], 50), 0.0);
    }
}
