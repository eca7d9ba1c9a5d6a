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
    /// Returns the report for a terminal of this many columns, or for a file: the answers, the map and, if `full`, the
    /// tables behind them.
    #[must_use]
    pub fn text(&self, width: Option<usize>, full: bool) -> String {
        let mut text = format!("{}\n", self.machine);
        text.extend(self.python.iter().map(|python| format!("{python}\n")));
        if full {
            text += &self.tables(width);
        }
        let answers = summary::answers(&self.series().collect::<Vec<_>>());
        if !answers.is_empty() {
            text += &format!("\n{}", summary::text(&answers, width));
        }
        text.extend(self.noise().map(|noise| format!("\n{noise}\n")));
        text.extend(
            self.map
                .iter()
                .map(|map| format!("\n{}", crossover::text(map, width))),
        );
        let unplaced = |left_out: &&LeftOut| !full || !self.has_place(left_out);
        let failed = |left_out: &&LeftOut| full || left_out.failed;
        for left_out in self.left_out.iter().filter(unplaced).filter(failed) {
            text += &format!("\n{left_out}\n");
        }
        text.extend(self.baseline.iter().map(|baseline| format!("\n{baseline}")));
        text += "\nYour own tasks: compare advise --cpu 2ms --io 40ms --tasks 10000\n";
        if !full {
            text += "Every figure:   compare --full, or the page\n";
        }
        units::wrapped(&text, width)
    }

    /// A table and a sentence for each series.
    fn tables(&self, width: Option<usize>) -> String {
        let (mut text, mut hidden) = (String::new(), Vec::new());
        for series in self.series() {
            text += &series_text(series, width, &mut hidden);
        }
        if !hidden.is_empty() {
            let hidden = hidden.join(", ");
            text += &format!("\nA wider terminal has also: {hidden}. The page has them all.\n");
        }
        text
    }

    /// Returns a warning if the machine was busy with something else.
    pub(crate) fn noise(&self) -> Option<String> {
        let repeated = self.rows.iter().filter(|row| row.runs > 1).count();
        let noisy = self.rows.iter().filter(|row| row.is_noisy()).count();
        (noisy > 0).then(|| {
            format!(
                "~ {noisy} of {repeated} rows had runs more than 25 % apart: this machine was busy with something else. \
                 Differences in these rows count for less; measure again when it is idle."
            )
        })
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
        f.write_str(&self.text(None, true))
    }
}
