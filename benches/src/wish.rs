//! What somebody wants models for.

use crate::report::{bytes, grouped};
use crate::{Mix, Model, Row};

/// A computation that is shorter than this, in microseconds, costs less than handing it over.
const SHORT_US: u32 = 20;
/// What is gained with tasks as short as that is gained by making one of many, and not by a model.
const SHORT_LEAD: f64 = 2.0;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// What each task does.
    pub mix: Mix,
    /// How many tasks there are.
    pub tasks: u32,
    /// Memory that all processes together may take, in bytes.
    pub memory: Option<u64>,
    /// Whether a task may crash, and must not take others along.
    pub crashy: bool,
}

impl Wish {
    /// All the tasks, in words.
    pub(crate) fn all(&self) -> String {
        match self.tasks {
            1 => "the one task".into(),
            tasks => format!("all {}", grouped(tasks.into())),
        }
    }

    /// Whether a task is so short that many should be made one.
    pub(crate) fn is_short(&self) -> bool {
        self.mix.io_us == 0 && self.mix.cpu_us < SHORT_US
    }

    /// Returns whether the two are level: neither is ahead by the rule of [`lead`](crate::lead), or nothing is gained by
    /// telling them apart.
    pub(crate) fn is_level(&self, row: &Row, best: &Row) -> bool {
        let lead = best.tasks_per_s / row.tasks_per_s;
        let level = !best.rate().is_ahead_of(&row.rate());
        self.tasks == 1 || level || (self.is_short() && lead < SHORT_LEAD)
    }

    /// Why a model that was measured is not to be advised.
    pub(crate) fn refuses(&self, row: &Row) -> Option<String> {
        let model = row.contender.model;
        if self.crashy && !matches!(model, Model::ProcessPerTask | Model::ProcessPool) {
            return Some(match model {
                Model::Prefork => "a crash takes all tasks of its process along".into(),
                _ => "a crash takes the whole program along".into(),
            });
        }
        let limit = self.memory.filter(|limit| row.peak_rss_bytes > *limit)?;
        Some(format!(
            "it took {}, more than {}",
            bytes(row.peak_rss_bytes),
            bytes(limit)
        ))
    }
}
