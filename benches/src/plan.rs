//! What to run, and what comes back.

use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use crate::{Kind, Services, Unit, Workload};

/// Tasks in flight at once when the workload waits.
const WAITING_CONCURRENCY: usize = 50;

/// A run: which workload, how many tasks, how many of them at once, how many workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
        let processors = available_parallelism().map_or(1, usize::from);
        let (concurrency, workers) = match workload.kind() {
            Kind::CpuBound => (2 * processors, processors),
            Kind::IoBound | Kind::Mixed => (WAITING_CONCURRENCY, WAITING_CONCURRENCY),
        };
        Self {
            workload,
            tasks,
            concurrency,
            workers,
            services: None,
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
        } = *self;
        (0..tasks).map(move |index| Unit::hand_over(workload, index, services))
    }
}

/// What one task gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
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
