//! Rows made readable: a table and sentences for the terminal, a page, JSON.

mod chart;
mod folder;
mod machine;
mod markdown;
mod page;
mod quantity;
mod table;
mod units;
mod verdict;

pub use folder::Folder;
pub use machine::Machine;

use serde::Serialize;

use crate::{Row, Workload};

/// Everything that was measured, and on which machine. As JSON it is the content of
/// `results.json`; displayed, it is what the terminal shows.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

impl Report {
    /// A report of these rows, measured on this machine.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        Self {
            machine: Machine::this(),
            rows,
        }
    }

    /// The rows of each workload, in the order in which they were measured.
    fn by_workload(&self) -> impl Iterator<Item = (Workload, &[Row])> {
        self.rows
            .chunk_by(|a, b| a.workload == b.workload)
            .map(|rows| (rows[0].workload, rows))
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.machine)?;
        for (workload, rows) in self.by_workload() {
            writeln!(
                f,
                "\n{workload} ({}): {}",
                workload.kind(),
                workload.about()
            )?;
            writeln!(f, "{}", table::table(rows))?;
            writeln!(f, "{}", verdict::verdict(rows))?;
        }
        Ok(())
    }
}
