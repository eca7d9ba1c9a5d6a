//! The whole comparison: every chosen contender on every chosen workload, at every chosen concurrency.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::python::Python;
use crate::rounds::{Entry, Rounds};
use crate::{
    Contender, Failed, Language, LeftOut, Mix, Model, Plan, Progress, Results, Service, Services,
    Workload, python, size,
};

/// What to compare, and how much of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// The workloads, in the order of the report.
    pub workloads: Vec<Workload>,
    /// The models, in the order of the report; [`Model::Serial`] is always there too, to compare with.
    pub models: Vec<Model>,
    /// Only contenders of whose line, such as `echo by event-loop`, one of these texts is a part; all when there is none.
    pub filter: Vec<String>,
    /// Tasks per row, instead of what suits it.
    pub tasks: Option<u32>,
    /// Tasks in flight at once, one series of rows for each; what suits the workload when there is none.
    pub concurrency: Vec<usize>,
    /// Workers of each pool, instead of what suits the workload.
    pub workers: Option<usize>,
    /// How many rounds of measuring there are, after the warm-up.
    pub repeat: usize,
    /// Python, and how many of them it takes part in: its models take longer, and most of them differ by more. None leaves
    /// Python out.
    pub python: Option<(Python, usize)>,
    /// How long one run may take.
    pub limit: Duration,
    /// Fewer tasks.
    pub quick: bool,
    /// What a task of [`Workload::Mixed`] does.
    pub mix: Mix,
    /// A folder in which one for the files that tasks write can be made; it is removed when all is measured.
    pub folder: PathBuf,
}

impl Options {
    /// One series of rows: a workload at one concurrency, or the one that suits it.
    fn entries(
        &self,
        workload: Workload,
        concurrency: Option<usize>,
        services: Option<Services>,
    ) -> Vec<Entry> {
        let mut models = self.models.clone();
        models.push(Model::Serial);
        models.sort_unstable();
        models.dedup();
        let rust = models.iter().copied().map(Contender::rust);
        let python = models.iter().copied().map(Contender::python);
        rust.chain(python.filter(|_| self.python.is_some()))
            .filter(|contender| self.is_chosen(workload, *contender))
            .map(|contender| Entry {
                contender,
                plan: self.plan(workload, contender, concurrency, services),
                rounds: match contender.language {
                    Language::Rust => self.repeat,
                    Language::Python => self
                        .python
                        .as_ref()
                        .map_or(self.repeat, |(_, rounds)| *rounds),
                },
            })
            .collect()
    }

    fn is_chosen(&self, workload: Workload, contender: Contender) -> bool {
        let line = format!("{workload} by {contender}");
        self.filter.is_empty() || self.filter.iter().any(|part| line.contains(part))
    }

    fn plan(
        &self,
        workload: Workload,
        contender: Contender,
        concurrency: Option<usize>,
        services: Option<Services>,
    ) -> Plan {
        let mut plan = Plan::new(workload, 1).with_mix(self.mix);
        if let Some(concurrency) = concurrency {
            plan = plan.with_concurrency(concurrency);
        }
        plan.workers = self.workers.unwrap_or(plan.workers);
        plan.tasks = self
            .tasks
            .unwrap_or_else(|| size::tasks(contender, &plan, self.quick));
        plan.services = services;
        plan.folder = Some(scratch(&self.folder));
        plan
    }

    /// Every series, in the order of the report.
    fn series(&self) -> Vec<(Workload, Option<usize>)> {
        let at_once: Vec<Option<usize>> = if self.concurrency.is_empty() {
            vec![None]
        } else {
            self.concurrency.iter().copied().map(Some).collect()
        };
        self.workloads
            .iter()
            .flat_map(|workload| at_once.iter().map(|at_once| (*workload, *at_once)))
            .collect()
    }
}

/// Measures every row and shows how far it is. A row that fails is among those left out, and the others go on.
///
/// # Errors
/// When nothing is chosen, or the services that tasks ask cannot be started.
pub fn compare(options: &Options) -> Result<Results, Failed> {
    let series = options.series();
    let entries = |services| {
        series
            .iter()
            .map(move |(workload, concurrency)| options.entries(*workload, *concurrency, services))
    };
    let runs: usize = entries(None).map(|entries| Rounds::runs(&entries)).sum();
    if runs == 0 {
        return Err(Failed::new(
            "choosing what to compare",
            "--filter leaves nothing",
        ));
    }
    let progress = Progress::new(runs);
    let service = start_service(&series, &progress)?;
    let files = Files::make(scratch(&options.folder))?;
    if let Some((python, _)) = &options.python {
        python::install(python, &files.0)?;
    }
    let rounds = Rounds {
        limit: options.limit,
        progress: &progress,
    };
    let mut results = Results::default();
    for entries in entries(service.as_ref().map(Service::addresses)) {
        let (entries, repeated) = without_repetition(entries, &results);
        let mut measured = rounds.measure(entries);
        measured.left_out.extend(repeated);
        progress.end(&measured.rows);
        results.extend(measured);
    }
    Ok(results)
}

/// Where tasks write their files.
fn scratch(folder: &Path) -> PathBuf {
    folder.join("files")
}

/// A folder that is removed with all that tasks have left in it.
struct Files(PathBuf);

impl Files {
    fn make(path: PathBuf) -> Result<Self, Failed> {
        std::fs::create_dir_all(&path)
            .map_err(Failed::at(format!("making the folder {}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What is left there is of no use, and in nobody's way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start_service(
    series: &[(Workload, Option<usize>)],
    progress: &Progress,
) -> Result<Option<Service>, Failed> {
    if !series.iter().any(|(workload, _)| workload.needs_service()) {
        return Ok(None);
    }
    progress.say("starting the services that IO-bound tasks ask");
    Service::start().map(Some)
}

/// Takes those out who would do again what they have done: one task at a time is the same at every concurrency.
fn without_repetition(entries: Vec<Entry>, so_far: &Results) -> (Vec<Entry>, Vec<LeftOut>) {
    let (again, new): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| {
        entry.contender.model == Model::Serial
            && so_far
                .rows
                .iter()
                .any(|row| row.workload == entry.plan.workload && row.contender == entry.contender)
    });
    let left_out = again.into_iter().map(
        |Entry {
             contender, plan, ..
         }| LeftOut {
            workload: plan.workload,
            contender,
            concurrency: plan.concurrency,
            reason: "it has one task at a time whatever the concurrency, and was measured so"
                .into(),
            failed: false,
        },
    );
    (new, left_out.collect())
}
