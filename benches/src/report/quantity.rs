//! The quantities that are compared between models.

use super::units::mebibytes;
use crate::Row;

/// A quantity with its unit, and which end of it is the good one.
pub struct Quantity {
    /// What it is, with its unit.
    pub title: &'static str,
    /// The row's figure.
    pub value: fn(&Row) -> f64,
    /// Where the page tells how it is measured.
    pub how: &'static str,
    more_is_better: bool,
}

/// What the page draws and the Markdown lists, in this order.
pub const QUANTITIES: [Quantity; 4] = [
    Quantity {
        title: "tasks per second",
        value: |row| row.tasks_per_s,
        how: "how-tasks-s",
        more_is_better: true,
    },
    Quantity {
        title: "99th percentile of latency, ms",
        value: |row| row.p99_ms,
        how: "how-p99-ms",
        more_is_better: false,
    },
    Quantity {
        title: "processor time of a task, ms",
        value: Row::cpu_ms_of_a_task,
        how: "how-CPU-s",
        more_is_better: false,
    },
    Quantity {
        title: "peak memory, MiB",
        value: |row| mebibytes(row.peak_rss_bytes),
        how: "how-peak-MiB",
        more_is_better: false,
    },
];

impl Quantity {
    /// Which direction is good, in words.
    pub fn direction(&self) -> &'static str {
        if self.more_is_better {
            "more is better"
        } else {
            "less is better"
        }
    }

    /// Whether none of the rows has a better figure than this one.
    pub fn is_best(&self, row: &Row, rows: &[Row]) -> bool {
        let value = (self.value)(row);
        let mut others = rows.iter().map(self.value);
        if self.more_is_better {
            others.all(|other| other <= value)
        } else {
            others.all(|other| other >= value)
        }
    }
}
