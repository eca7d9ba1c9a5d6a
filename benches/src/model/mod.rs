//! Nine ways of running many tasks, one file each.
//!
//! Each file has one function, `run`, with the same meaning: run every unit of the plan, keep at
//! most `concurrency` of them handed over and unfinished, give the outcomes in any order.

mod coroutines;
mod event_loop;
mod event_loop_per_core;
mod prefork;
mod process_per_task;
mod process_pool;
mod serial;
mod thread_per_task;
mod thread_pool;
mod window;

use serde::{Deserialize, Serialize};

use crate::{Failed, Outcome, Plan};

/// A way of running many tasks.
///
/// ```
/// use benches::Model;
///
/// assert_eq!(Model::ThreadPool.to_string(), "thread-pool");
/// assert_eq!(Model::ALL.len(), 9);
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// One task after the other, on the calling thread.
    Serial,
    /// A new process for each task.
    ProcessPerTask,
    /// Processes that stay and take one task after the other.
    ProcessPool,
    /// A new thread for each task.
    ThreadPerTask,
    /// Threads that stay and take one task after the other.
    ThreadPool,
    /// Generators on one thread, resumed in turn; a wait is polled.
    Coroutines,
    /// Coroutines on one thread that the event loop wakes when their socket is ready.
    EventLoop,
    /// An event loop on a thread for each processor.
    EventLoopPerCore,
    /// An event loop in a process for each processor.
    Prefork,
}

impl Model {
    /// Every model, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Serial,
        Self::ProcessPerTask,
        Self::ProcessPool,
        Self::ThreadPerTask,
        Self::ThreadPool,
        Self::Coroutines,
        Self::EventLoop,
        Self::EventLoopPerCore,
        Self::Prefork,
    ];

    /// Runs every task of the plan and gives their outcomes, in any order.
    ///
    /// # Errors
    /// When a task fails or the model cannot start it; what was already running is ended first.
    pub fn run(self, plan: &Plan) -> Result<Vec<Outcome>, Failed> {
        match self {
            Self::Serial => serial::run(plan),
            Self::ProcessPerTask => process_per_task::run(plan),
            Self::ProcessPool => process_pool::run(plan),
            Self::ThreadPerTask => thread_per_task::run(plan),
            Self::ThreadPool => thread_pool::run(plan),
            Self::Coroutines => coroutines::run(plan),
            Self::EventLoop => event_loop::run(plan),
            Self::EventLoopPerCore => event_loop_per_core::run(plan),
            Self::Prefork => prefork::run(plan),
        }
    }

    /// How many tasks this model has in flight at once, at most.
    #[must_use]
    pub fn concurrency(self, plan: &Plan) -> usize {
        if self == Self::Serial {
            1
        } else {
            plan.concurrency
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Serial => "one task after the other",
            Self::ProcessPerTask => "a new process for each task",
            Self::ProcessPool => "a fixed number of processes that take one task after the other",
            Self::ThreadPerTask => "a new thread for each task",
            Self::ThreadPool => "a fixed number of threads that take one task after the other",
            Self::Coroutines => "generators on one thread, resumed in turn; a wait is polled",
            Self::EventLoop => "coroutines on one thread, woken when their socket is ready",
            Self::EventLoopPerCore => "an event loop on a thread for each processor",
            Self::Prefork => "an event loop in a process for each processor",
        }
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Serial => "serial",
            Self::ProcessPerTask => "process-per-task",
            Self::ProcessPool => "process-pool",
            Self::ThreadPerTask => "thread-per-task",
            Self::ThreadPool => "thread-pool",
            Self::Coroutines => "coroutines",
            Self::EventLoop => "event-loop",
            Self::EventLoopPerCore => "event-loop-per-core",
            Self::Prefork => "prefork",
        })
    }
}
