//! What has changed since an earlier comparison.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::units::figure;
use crate::{Failed, Row};

/// Rows closer than this to what they were have not changed, however steady both were.
const SAME: f64 = 0.05;

/// An earlier comparison, and what has changed since.
#[derive(Debug, Clone, Serialize)]
pub struct Baseline {
    /// The file.
    file: String,
    #[serde(skip)]
    rows: Vec<Row>,
    changes: Vec<Change>,
}

/// A row now and then.
#[derive(Debug, Clone, Serialize)]
struct Change {
    /// The row's name.
    row: String,
    was_tasks_per_s: f64,
    tasks_per_s: f64,
    /// Whether the two are further apart than both spreads explain.
    beyond_noise: bool,
}

#[derive(Deserialize)]
struct File {
    rows: Vec<Row>,
}

impl Baseline {
    /// Reads a `results.json`.
    ///
    /// # Errors
    /// When the file is not there, or is not a `results.json`; the text names it.
    pub fn read(file: &Path) -> Result<Self, Failed> {
        let step = || format!("reading the baseline {}", file.display());
        let text = std::fs::read_to_string(file).map_err(Failed::at(step()))?;
        let File { rows } = serde_json::from_str(&text).map_err(Failed::at(step()))?;
        Ok(Self {
            file: file.display().to_string(),
            rows,
            changes: Vec::new(),
        })
    }

    /// Compares rows with those of the file that did the same.
    pub(super) fn held_against(mut self, now: &[Row]) -> Self {
        self.changes = now
            .iter()
            .filter_map(|row| {
                let did_the_same = |then: &&Row| {
                    (then.workload, then.contender, then.concurrency)
                        == (row.workload, row.contender, row.concurrency)
                };
                Some(Change::between(self.rows.iter().find(did_the_same)?, row))
            })
            .collect();
        self
    }
}

impl Change {
    fn between(then: &Row, now: &Row) -> Self {
        let noise = SAME.max(then.spread).max(now.spread);
        let ratio = now.tasks_per_s / then.tasks_per_s;
        Self {
            row: format!(
                "{} by {}, {} at once",
                now.workload, now.contender, now.concurrency
            ),
            was_tasks_per_s: then.tasks_per_s,
            tasks_per_s: now.tasks_per_s,
            beyond_noise: ratio > 1.0 + noise || ratio < 1.0 / (1.0 + noise),
        }
    }
}

impl std::fmt::Display for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let changed: Vec<&Change> = self
            .changes
            .iter()
            .filter(|change| change.beyond_noise)
            .collect();
        let (all, file) = (self.changes.len(), &self.file);
        if all == 0 {
            return writeln!(f, "{file} has no row that did the same");
        }
        writeln!(
            f,
            "Against {file}: {} of {all} rows have changed by more than 5 % and than both spreads",
            changed.len()
        )?;
        for change in changed {
            let Change {
                row,
                was_tasks_per_s,
                tasks_per_s,
                ..
            } = change;
            let percent = 100.0 * (tasks_per_s / was_tasks_per_s - 1.0);
            writeln!(
                f,
                "  {row}: {} tasks/s, was {} ({percent:+.0} %)",
                figure(*tasks_per_s),
                figure(*was_tasks_per_s)
            )?;
        }
        Ok(())
    }
}
