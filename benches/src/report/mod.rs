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
mod summary;
mod svg;
mod table;
mod units;
mod verdict;

pub use baseline::Baseline;
pub use folder::Folder;
pub use lanes::document as timeline_svg;
pub use machine::Machine;
pub use units::{bytes, figure, grouped, span};

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
    /// The workload, with the concurrency where it was measured at several.
    fn title(self, report: &Report) -> String {
        let of_workload = report
            .series()
            .filter(|other| other.workload == self.workload);
        match of_workload.count() {
            1 => self.workload.to_string(),
            _ => format!("{} × {}", self.workload, self.concurrency),
        }
    }

    /// Where it is on the page.
    fn name(self) -> String {
        format!("{}-{}", self.workload, self.concurrency)
    }

    /// Who is not among the rows, and why.
    fn left_out(self) -> impl Iterator<Item = &'r LeftOut> {
        self.left_out.iter().filter(move |left_out| {
            (left_out.workload, left_out.concurrency) == (self.workload, self.concurrency)
        })
    }
}

impl Report {
    /// The report for a terminal of this many columns, or for a file.
    #[must_use]
    pub fn text(&self, width: Option<usize>) -> String {
        let mut text = format!("{}\n", self.machine);
        text.extend(self.python.iter().map(|python| format!("{python}\n")));
        let mut hidden = Vec::new();
        for series in self.series() {
            text += &series_text(series, width, &mut hidden);
        }
        if !hidden.is_empty() {
            let hidden = hidden.join(", ");
            text += &format!("\nA wider terminal has also: {hidden}. The page has them all.\n");
        }
        if self.rows.iter().any(Row::is_noisy) {
            text += "\n~ its runs were more than 25 % apart: do not rely on it; measure again, or with --repeat\n";
        }
        text.extend(
            self.map
                .iter()
                .map(|map| format!("\n{}", crossover::text(map, width))),
        );
        for left_out in self
            .left_out
            .iter()
            .filter(|left_out| !self.has_place(left_out))
        {
            text += &format!("\n{left_out}\n");
        }
        text.extend(self.baseline.iter().map(|baseline| format!("\n{baseline}")));
        let answers = summary::answers(&self.series().collect::<Vec<_>>());
        if !answers.is_empty() {
            text += &format!(
                "\n{}",
                summary::text(&answers, self.rows.iter().any(|row| row.runs > 1))
            );
        }
        units::wrapped(&text, width)
    }

    /// Whether it is said below a table why this row is not in it.
    fn has_place(&self, left_out: &LeftOut) -> bool {
        self.series()
            .any(|series| series.left_out().any(|shown| shown == left_out))
    }
}

/// A table, who is not in it, and the verdict.
fn series_text(series: Series, width: Option<usize>, hidden: &mut Vec<&str>) -> String {
    let Series {
        workload,
        concurrency,
        rows,
        ..
    } = series;
    let (table, without) = table::table(rows, width);
    *hidden = without;
    let mut text = format!(
        "\n{workload} ({}), {concurrency} at once: {}\n{table}\n",
        workload.kind(),
        workload.about()
    );
    text.extend(series.left_out().map(|left_out| format!("{left_out}\n")));
    text + &verdict::verdict(rows) + "\n"
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text(None))
    }
}
