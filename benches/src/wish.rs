//! What somebody wants models for.

use crate::report::{bytes, grouped};
use crate::{Mix, Model, Row};

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
