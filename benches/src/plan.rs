//! What to run, and what comes back.

use serde::{Deserialize, Serialize};

use crate::{Kind, Model, Services, Unit, Workload, limits};

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
    /// The services that the tasks ask, when the workload needs them.
    pub services: Option<Services>,
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
            services: None,
        };
        plan.with_concurrency(concurrency)
    }

    /// The same run with so many tasks at once (at least one), and workers to suit: one for each task that waits, and
    /// no more than there are processors when all compute.
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        let concurrency = concurrency.max(1);
        let workers = match self.workload.kind() {
            Kind::CpuBound => concurrency.min(limits::processors()),
            Kind::IoBound | Kind::Mixed => concurrency,
        };
        Self {
            concurrency,
            workers,
            ..self
        }
    }

    /// How many processes of its tasks this model has at once, at most.
    #[must_use]
    pub fn processes(&self, model: Model) -> usize {
        let at_once = self.concurrency.min(self.tasks as usize);
        match model {
            Model::ProcessPerTask => at_once,
            Model::ProcessPool => self.workers,
            _ => 1,
        }
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
        let Self {
            workload,
            tasks,
            services,
            ..
        } = self.clone();
        (0..tasks).map(move |index| Unit::hand_over(workload, index, services))
    }
}

/// What one task gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The task's number.
    pub index: u32,
    /// A number that a wrong result would change.
    pub checksum: u64,
    /// Nanoseconds from the moment the task was handed over until its body ended.
    pub latency_ns: u64,
}

/// The checksum of a whole run. Tasks end in any order, so it does not depend on theirs.
#[must_use]
pub fn checksum(outcomes: &[Outcome]) -> u64 {
    outcomes
        .iter()
        .fold(0, |sum, outcome| sum.wrapping_add(outcome.checksum))
}
