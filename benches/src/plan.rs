//! What to run, and what comes back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::tape::Trace;
use crate::{Kind, Mix, Model, Services, Unit, Workload, limits};

/// Tasks in flight at once when the workload waits.
const WAITING_CONCURRENCY: usize = 50;

/// A run: which workload, how many tasks, how many of them at once, how many workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The kind of work.
    pub workload: Workload,
    /// How many tasks there are.
    pub tasks: u32,
    /// How many tasks are handed over and unfinished at any moment, at most; at least one.
    pub concurrency: usize,
    /// Workers of a pool; at least one.
    pub workers: usize,
    /// How long tasks of [`Workload::Mixed`] compute and wait.
    pub mix: Mix,
    /// The services that the tasks ask, when the workload needs them.
    pub services: Option<Services>,
    /// Where the tasks write their files, when they write some.
    pub folder: Option<PathBuf>,
    /// Whether each task is to say what it did when.
    pub traced: bool,
}

impl Plan {
    /// A run of `tasks` tasks with defaults that suit the workload: for computing, one worker a
    /// processor and two tasks a worker in flight; for waiting, 50 tasks in flight and a worker for
    /// each.
    #[must_use]
    pub fn new(workload: Workload, tasks: u32) -> Self {
        let concurrency = match workload.kind() {
            Kind::CpuBound => 2 * limits::processors(),
            Kind::IoBound | Kind::Mixed => WAITING_CONCURRENCY,
        };
        let plan = Self {
            workload,
            tasks,
            concurrency,
            workers: 1,
            mix: Mix::default(),
            services: None,
            folder: None,
            traced: false,
        };
        plan.with_concurrency(concurrency)
    }

    /// The same run with so many tasks at once (at least one), and workers to suit: one for each task that waits, no
    /// more than there are processors when all compute, and as many as keep these busy when tasks do both.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        let most = match self.workload.kind() {
            Kind::CpuBound => limits::processors(),
            Kind::IoBound => concurrency,
            Kind::Mixed => self.mix.workers(),
        };
        Self {
            concurrency,
            workers: concurrency.min(most),
            ..self
        }
    }

    /// The same run with tasks that compute and wait so long, and workers to suit.
    #[must_use]
    pub fn with_mix(self, mix: Mix) -> Self {
        let concurrency = self.concurrency;
        Self { mix, ..self }.with_concurrency(concurrency)
    }

    /// How many processes of its tasks this model has at once, at most.
    #[must_use]
    pub fn processes(&self, model: Model) -> usize {
        let at_once = self.concurrency.min(self.tasks as usize);
        match model {
            Model::ProcessPerTask => at_once,
            Model::ProcessPool => self.workers,
            Model::Prefork => self.loops().len(),
            _ => 1,
        }
    }

    /// The concurrency of each event loop, where there is one for each processor: the plan's, dealt out.
    pub(crate) fn loops(&self) -> impl ExactSizeIterator<Item = usize> + use<> {
        let loops = self.concurrency.min(limits::processors());
        let (each, rest) = (self.concurrency / loops, self.concurrency % loops);
        (0..loops).map(move |nth| each + usize::from(nth < rest))
    }

    /// The same run with the services that its tasks ask.
    #[must_use]
    pub fn with_services(self, services: Services) -> Self {
        Self {
            services: Some(services),
            ..self
        }
    }

    /// The tasks, one by one; a task counts as handed over when the iterator gives it.
    pub(crate) fn units(&self) -> impl Iterator<Item = Unit> + use<> {
        let plan = self.clone();
        (0..self.tasks).map(move |index| plan.unit(index))
    }

    /// One of the tasks, handed over now.
    pub(crate) fn unit(&self, index: u32) -> Unit {
        Unit::hand_over(self, index)
    }
}

/// What one task gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The task's number.
    pub index: u32,
    /// A number that a wrong result would change.
    pub checksum: u64,
    /// Nanoseconds from the moment the task was handed over until its body ended.
    pub latency_ns: u64,
    /// What it did when, if the plan asks for it.
    pub trace: Option<Trace>,
}

/// The checksum of a whole run. Tasks end in any order, so it does not depend on theirs.
#[must_use]
pub fn checksum(outcomes: &[Outcome]) -> u64 {
    outcomes
        .iter()
        .fold(0, |sum, outcome| sum.wrapping_add(outcome.checksum))
}
