//! What is known of one contender on one workload, and why nothing is known of others.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lead::Rate;
use crate::map::Map;
use crate::timeline::Timeline;
use crate::{Contender, Plan, Run, Workload};

/// Beyond this spread a row says more of the machine's other work than of its model.
const WIDE: f64 = 0.25;

/// One line of the report: the median of several runs, and how far they were apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub workload: Workload,
    /// How it was done, and in which language.
    #[serde(flatten)]
    pub contender: Contender,
    /// Tasks in each run.
    pub tasks: u32,
    /// Tasks handed over and unfinished at once, at most; the serial model has one, whatever this says.
    pub concurrency: usize,
    /// Workers, for a pool.
    pub workers: usize,
    /// How many times it was measured; the other figures are those of the median run, by wall time.
    #[serde(default = "one")]
    pub runs: usize,
    /// The fastest run's tasks per second less the slowest's, in parts of the median's. Of five runs or more, the fastest
    /// and the slowest quarter are left out (interquartile range), so that more runs make it more certain, and not larger.
    #[serde(default)]
    pub spread: f64,
    /// Seconds from the first task's hand-over until the last result was collected.
    pub wall_s: f64,
    /// Tasks per second of wall time.
    pub tasks_per_s: f64,
    /// Median of the tasks' latencies, from hand-over to the end of the body, in milliseconds.
    pub p50_ms: f64,
    /// 90th percentile of the same.
    #[serde(default)]
    pub p90_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Greatest of the same.
    #[serde(default)]
    pub max_ms: f64,
    /// Processor time in user and kernel mode, of the model's process and all its descendants.
    pub cpu_s: f64,
    /// Greatest sum of the resident memory of those processes, sampled every 10 ms.
    pub peak_rss_bytes: u64,
    /// Times that one of those processes gave up its processor to wait.
    pub ctx_voluntary: i64,
    /// Times that the kernel took it away.
    pub ctx_involuntary: i64,
    /// Sum over the tasks' results, the same for every contender with as many tasks; sixteen hex digits.
    #[serde(serialize_with = "as_hex", deserialize_with = "from_hex")]
    pub checksum: u64,
}

/// Number of runs that the spread leaves out at either end.
fn outer(runs: usize) -> usize {
    if runs < 5 { 0 } else { runs / 4 }
}

fn one() -> usize {
    1
}

fn as_hex<S: Serializer>(checksum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{checksum:016x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    u64::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

impl Row {
    /// Processor time of one task, in milliseconds: rows of a workload may have different numbers of tasks.
    #[must_use]
    pub fn cpu_ms_of_a_task(&self) -> f64 {
        self.cpu_s * 1e3 / f64::from(self.tasks.max(1))
    }

    /// The median of these runs of one plan; `None` when there are none.
    #[must_use]
    pub fn of(contender: Contender, plan: &Plan, mut runs: Vec<Run>) -> Option<Self> {
        runs.sort_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
        let count = runs.len();
        let outer = outer(count);
        let (fastest, slowest) = (runs.get(outer)?.wall_s, runs.get(count - 1 - outer)?.wall_s);
        let median = runs.swap_remove((count - 1) / 2);
        Some(Self {
            workload: plan.workload,
            contender,
            tasks: plan.tasks,
            concurrency: plan.concurrency,
            workers: plan.workers,
            runs: count,
            spread: median.wall_s / fastest - median.wall_s / slowest,
            wall_s: median.wall_s,
            tasks_per_s: f64::from(plan.tasks) / median.wall_s,
            p50_ms: median.p50_ms,
            p90_ms: median.p90_ms,
            p99_ms: median.p99_ms,
            max_ms: median.max_ms,
            cpu_s: median.cpu_s,
            peak_rss_bytes: median.peak_rss_bytes,
            ctx_voluntary: median.ctx_voluntary,
            ctx_involuntary: median.ctx_involuntary,
            checksum: median.checksum(),
        })
    }

    /// Returns its tasks per second, to be compared with another row's.
    #[must_use]
    pub fn rate(&self) -> Rate {
        Rate {
            median: self.tasks_per_s,
            spread: self.spread,
            runs: self.runs,
        }
    }

    /// The spread in per cent, marked where it is too wide, as tables have it.
    #[must_use]
    pub fn spread_in_words(&self) -> String {
        let mark = if self.is_noisy() { "~" } else { "" };
        match self.runs {
            1 => String::from("one run"),
            _ => format!("{mark}{:.0} %", 100.0 * self.spread),
        }
    }

    /// Whether its runs were so far apart that its figures should not be relied upon.
    #[must_use]
    pub fn is_noisy(&self) -> bool {
        self.spread > WIDE
    }
}

/// A row that is not there, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What would have been done.
    pub workload: Workload,
    /// By whom.
    #[serde(flatten)]
    pub contender: Contender,
    /// Tasks that would have been in flight at once.
    pub concurrency: usize,
    /// Why it was not, or did not succeed.
    pub reason: String,
    /// Whether it was tried and failed, rather than not tried.
    pub failed: bool,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            workload,
            contender,
            concurrency,
            reason,
            failed,
        } = self;
        let verb = if *failed { "failed" } else { "is left out" };
        write!(
            f,
            "{workload} by {contender}, {concurrency} at once, {verb}: {reason}"
        )
    }
}

/// What a comparison yields.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// What was measured.
    pub rows: Vec<Row>,
    /// What was not, and why.
    pub left_out: Vec<LeftOut>,
    /// Which model wins where, if that was asked for.
    pub map: Option<Map>,
    /// Two tasks under each model, as lanes, if that was asked for.
    pub timelines: Vec<Timeline>,
}

impl Results {
    /// Takes in what another measurement yielded.
    pub fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.left_out.extend(other.left_out);
    }

    /// Whether something was tried and failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.left_out.iter().any(|left_out| left_out.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    fn run(wall_s: f64) -> Run {
        Run {
            wall_s,
            ..Run::default()
        }
    }

    #[test]
    fn the_median_run_is_the_row() {
        let plan = Plan::new(Workload::Primes, 10);
        let contender = Contender::rust(Model::Serial);
        let row = Row::of(contender, &plan, vec![run(2.0), run(1.0), run(1.25)]).unwrap();
        assert_eq!((row.runs, row.wall_s, row.tasks_per_s), (3, 1.25, 8.0));
        assert_eq!(row.spread, 1.25 - 0.625, "10 to 5 tasks/s around 8");
        assert!(row.is_noisy());
        assert_eq!(Row::of(contender, &plan, vec![]), None);
    }

    #[test]
    fn of_many_runs_the_outer_quarters_do_not_count() {
        let plan = Plan::new(Workload::Primes, 10);
        let contender = Contender::rust(Model::Serial);
        let runs = [0.1, 1.0, 1.0, 1.0, 9.0].map(run).to_vec();
        assert_eq!(Row::of(contender, &plan, runs).unwrap().spread, 0.0);
    }

    #[test]
    fn a_row_survives_json() {
        let plan = Plan::new(Workload::Primes, 10);
        let row = Row::of(Contender::python(Model::ThreadPool), &plan, vec![run(2.0)]).unwrap();
        let json = serde_json::to_string(&row).unwrap();
        assert!(
            json.contains(r#""language":"python","model":"thread-pool""#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Row>(&json).unwrap(), row);
    }
}
