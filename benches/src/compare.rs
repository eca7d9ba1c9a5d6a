//! The whole comparison: every chosen model on every chosen workload.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::measure;
use crate::{Failed, Model, Plan, Row, Service, Services, Workload};

/// A row that is over sooner is measured again, so that its median says something.
const ENOUGH: Duration = Duration::from_secs(1);
/// But not more often than this.
const MOST_RUNS: usize = 3;

/// What to compare, and how much of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The workloads, in the order of the report.
    pub workloads: Vec<Workload>,
    /// The models. [`Model::Serial`] is always measured too, for its checksum is the right one.
    pub models: Vec<Model>,
    /// Tasks per row, instead of each workload's own number.
    pub tasks: Option<u32>,
    /// Workers of each pool, instead of what suits the workload.
    pub workers: Option<usize>,
    /// Fewer tasks, and each row once.
    pub quick: bool,
}

impl Options {
    fn plan(&self, workload: Workload, services: Option<Services>) -> Plan {
        let mut plan = Plan::new(
            workload,
            self.tasks.unwrap_or(default_tasks(workload, self.quick)),
        );
        plan.workers = self.workers.unwrap_or(plan.workers);
        plan.services = services;
        plan
    }

    /// The chosen models after the serial one, each once.
    fn models(&self) -> Vec<Model> {
        let mut models = self.models.clone();
        models.push(Model::Serial);
        models.sort_unstable();
        models.dedup();
        models
    }
}

/// Tasks that keep the serial model busy for a few seconds, or for about one.
fn default_tasks(workload: Workload, quick: bool) -> u32 {
    match (workload, quick) {
        (Workload::Pi | Workload::Primes, false) => 240,
        (Workload::Pi | Workload::Primes, true) => 60,
        (Workload::Echo | Workload::Http | Workload::Mixed, false) => 250,
        (Workload::Echo | Workload::Http | Workload::Mixed, true) => 80,
    }
}

/// Measures every row and shows how far it is.
///
/// # Errors
/// When a row cannot be measured, or when a model's checksum is not the serial one.
pub fn compare(options: &Options) -> Result<Vec<Row>, Failed> {
    let models = options.models();
    let progress = Progress::new(options.workloads.len() * models.len());
    let service = if options
        .workloads
        .iter()
        .any(|workload| workload.needs_service())
    {
        progress.say("starting the services that IO-bound tasks ask");
        Some(Service::start()?)
    } else {
        None
    };
    let mut rows = Vec::new();
    for &workload in &options.workloads {
        let plan = options.plan(workload, service.as_ref().map(Service::addresses));
        let mut expected = None;
        for &model in &models {
            progress.begin(workload, model);
            let row = repeat(model, &plan, options.quick)?;
            // Serial comes first, so it is its checksum that the others are held against.
            check(&row, *expected.get_or_insert(row.checksum))?;
            progress.end(&row);
            rows.push(row);
        }
    }
    progress.finish();
    Ok(rows)
}

fn check(row: &Row, expected: u64) -> Result<(), Failed> {
    if row.checksum == expected {
        return Ok(());
    }
    let step = format!("checking {} by {}", row.workload, row.model);
    Err(Failed::new(
        step,
        format!(
            "checksum {:016x} is not the serial one, {expected:016x}",
            row.checksum
        ),
    ))
}

/// The median run, by wall time, of as many as fit into a second.
fn repeat(model: Model, plan: &Plan, once: bool) -> Result<Row, Failed> {
    let start = Instant::now();
    let mut runs = vec![measure(model, plan)?];
    while !once && runs.len() < MOST_RUNS && start.elapsed() < ENOUGH {
        let run = measure(model, plan)?;
        check(&run, runs[0].checksum)?;
        runs.push(run);
    }
    runs.sort_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
    Ok(runs.swap_remove(runs.len() / 2))
}

/// A bar on a terminal, a line for each row elsewhere; both on standard error.
struct Progress {
    bar: ProgressBar,
    plain: bool,
    rows: usize,
}

impl Progress {
    fn new(rows: usize) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(rows as u64)
        };
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} [{bar:30}] {pos}/{len} {elapsed} {msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        if !plain {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, plain, rows }
    }

    fn say(&self, what: &str) {
        if self.plain {
            eprintln!("{what}");
        }
        self.bar.set_message(what.to_owned());
    }

    fn begin(&self, workload: Workload, model: Model) {
        self.bar.set_message(format!("{workload} by {model}"));
    }

    fn end(&self, row: &Row) {
        self.bar.inc(1);
        if self.plain {
            let at = self.bar.position();
            let Row {
                workload,
                model,
                wall_s,
                tasks_per_s,
                ..
            } = row;
            eprintln!(
                "[{at}/{}] {workload} by {model}: {wall_s:.2} s, {tasks_per_s:.0} tasks/s",
                self.rows
            );
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
