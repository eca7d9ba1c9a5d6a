//! Rows made readable: a table and sentences for the terminal, a page, JSON.

mod baseline;
mod chart;
mod crossover;
mod folder;
mod lanes;
mod machine;
mod markdown;
mod page;
mod quantity;
mod scaling;
mod table;
mod units;
mod verdict;

pub use baseline::Baseline;
pub use folder::Folder;
pub use lanes::document as timeline_svg;
pub use machine::Machine;
pub use units::{bytes, figure, span};

use crate::map::Map;
use crate::timeline::Timeline;
use serde::Serialize;

use crate::{Failed, LeftOut, Results, Row, Workload};

/// Everything that was measured, and on which machine. As JSON it is the content of
/// `results.json`; displayed, it is what the terminal shows.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    machine: Machine,
    /// What Python says of itself, or why it is not there.
    python: Option<String>,
    rows: Vec<Row>,
    left_out: Vec<LeftOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<Map>,
    #[serde(skip)]
    timelines: Vec<Timeline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
}

impl Report {
    /// A report of what was measured on this machine.
    #[must_use]
    pub fn new(results: Results) -> Self {
        Self {
            machine: Machine::this(),
            rows: results.rows,
            left_out: results.left_out,
            map: results.map,
            timelines: results.timelines,
            python: None,
            baseline: None,
        }
    }

    /// The same report, which says this of Python: which one it was, or why there was none.
    #[must_use]
    pub fn with_python(mut self, remark: String) -> Self {
        self.python = Some(remark);
        self
    }

    /// The same report with what has changed since an earlier one.
    #[must_use]
    pub fn with_baseline(mut self, baseline: Baseline) -> Self {
        self.baseline = Some(baseline.held_against(&self.rows));
        self
    }

    /// The report as JSON: the content of `results.json`.
    ///
    /// # Errors
    /// None that is known of: everything in a report can be written as JSON.
    pub fn json(&self) -> Result<String, Failed> {
        let json =
            serde_json::to_string_pretty(self).map_err(Failed::at("encoding the results"))?;
        Ok(json + "\n")
    }

    /// The series, in the order in which they were measured: a workload at one concurrency each.
    fn series(&self) -> impl Iterator<Item = Series<'_>> {
        self.rows
            .chunk_by(|a, b| (a.workload, a.concurrency) == (b.workload, b.concurrency))
            .map(|rows| Series {
                workload: rows[0].workload,
                concurrency: rows[0].concurrency,
                rows,
                left_out: &self.left_out,
            })
    }
}

/// The rows of a workload at one concurrency.
#[derive(Debug, Clone, Copy)]
struct Series<'r> {
    workload: Workload,
    concurrency: usize,
    rows: &'r [Row],
    left_out: &'r [LeftOut],
}

impl<'r> Series<'r> {
    /// Who is not among the rows, and why.
    fn left_out(self) -> impl Iterator<Item = &'r LeftOut> {
        self.left_out.iter().filter(move |left_out| {
            (left_out.workload, left_out.concurrency) == (self.workload, self.concurrency)
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.machine)?;
        if let Some(python) = &self.python {
            writeln!(f, "{python}")?;
        }
        for series in self.series() {
            let Series {
                workload,
                concurrency,
                rows,
                ..
            } = series;
            writeln!(
                f,
                "\n{workload} ({}), {concurrency} at once: {}",
                workload.kind(),
                workload.about()
            )?;
            writeln!(f, "{}", table::table(rows))?;
            for left_out in series.left_out() {
                writeln!(f, "{left_out}")?;
            }
            writeln!(f, "{}", verdict::verdict(rows))?;
        }
        if self.rows.iter().any(Row::is_noisy) {
            writeln!(
                f,
                "\n~ its runs were more than 25 % apart: do not rely on it; measure again, or with --repeat"
            )?;
        }
        if let Some(map) = &self.map {
            write!(f, "\n{}", crossover::text(map))?;
        }
        let nowhere = |left_out: &&LeftOut| {
            !self
                .series()
                .any(|series| series.left_out().any(|shown| shown == *left_out))
        };
        for left_out in self.left_out.iter().filter(nowhere) {
            writeln!(f, "\n{left_out}")?;
        }
        self.baseline
            .iter()
            .try_for_each(|baseline| write!(f, "\n{baseline}"))
    }
}
