//! What to compare, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::python::Python;
use crate::rounds::Entry;
use crate::{Contender, Language, Mix, Model, Plan, Services, Workload, size};

/// The series that show how the models scale: one workload at several concurrencies.
pub const SWEEP: (Workload, [usize; 4]) = (Workload::Echo, [1, 10, 100, 1000]);

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
    /// How long all may take: further rounds follow while there is time and noise could turn a result. `None`: there are no
    /// further rounds.
    pub budget: Option<Duration>,
    /// How long one run may take.
    pub limit: Duration,
    /// Fewer tasks.
    pub quick: bool,
    /// Also the series of [`SWEEP`], the crossover map, in so many rounds, and a timeline.
    pub overview: Option<usize>,
    /// What a task of [`Workload::Mixed`] does.
    pub mix: Mix,
    /// A folder in which one for the files that tasks write can be made; it is removed when all is measured.
    pub folder: PathBuf,
}

impl Options {
    /// The chosen models after the serial one, each once.
    pub(crate) fn all_models(&self) -> Vec<Model> {
        let mut models = self.models.clone();
        models.push(Model::Serial);
        models.sort_unstable();
        models.dedup();
        models
    }

    /// The rows of one series.
    pub(crate) fn entries(&self, series: Series, services: Option<Services>) -> Vec<Entry> {
        let Series {
            workload,
            concurrency,
            sweep,
        } = series;
        let models = self.all_models();
        let python = self.python.is_some() && !sweep;
        let rust = models.iter().copied().map(Contender::rust);
        let python = models
            .iter()
            .copied()
            .map(Contender::python)
            .filter(|_| python);
        rust.chain(python)
            .filter(|contender| !(sweep && contender.model == Model::Serial))
            .filter(|contender| self.is_chosen(workload, *contender))
            .map(|contender| Entry {
                contender,
                plan: self.plan(workload, contender, concurrency, services),
                rounds: match (self.overview, contender.language) {
                    (Some(rounds), Language::Rust) if sweep => rounds,
                    (_, Language::Rust) => self.repeat,
                    (_, Language::Python) => self
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
        plan.folder = Some(self.scratch());
        plan
    }

    /// Every series, in the order of the report.
    pub(crate) fn series(&self) -> Vec<Series> {
        let at_once: Vec<Option<usize>> = if self.concurrency.is_empty() {
            vec![None]
        } else {
            self.concurrency.iter().copied().map(Some).collect()
        };
        let chosen = self.workloads.iter().flat_map(|workload| {
            at_once.iter().map(|at_once| Series {
                workload: *workload,
                concurrency: *at_once,
                sweep: false,
            })
        });
        let sweep = SWEEP.1.map(|at_once| Series {
            workload: SWEEP.0,
            concurrency: Some(at_once),
            sweep: true,
        });
        chosen
            .chain(sweep.into_iter().filter(|_| self.overview.is_some()))
            .collect()
    }

    /// Whether there is nothing to compare.
    #[must_use]
    pub fn leave_nothing(&self) -> bool {
        let mut series = self.series().into_iter();
        self.overview.is_none() && series.all(|series| self.entries(series, None).is_empty())
    }

    /// Where tasks write their files.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("files")
    }
}

/// Rows that are compared with each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series {
    /// What is done.
    pub workload: Workload,
    /// Tasks at once, if it is not what suits the workload.
    pub concurrency: Option<usize>,
    /// Whether it is one of those that show how the models scale.
    pub sweep: bool,
}
