//! The table in the terminal, and its columns, which the page shares.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::units::{figure, grouped, mebibytes};
use crate::Row;

/// A column: its heading, and how a row fills it.
pub struct Column {
    /// What it shows, with the unit.
    pub heading: &'static str,
    /// The row's figure.
    pub number: fn(&Row) -> f64,
    /// The same for people.
    pub value: fn(&Row) -> String,
    /// What it means and how it is measured.
    pub how: &'static str,
}

impl Column {
    /// Where the page tells how it is measured.
    pub fn anchor(&self) -> String {
        let dashed = self.heading.replace([' ', '/'], "-");
        format!("how-{}", dashed.trim_end_matches('.'))
    }
}

/// Every column after the model's name.
pub const COLUMNS: [Column; 11] = [
    Column {
        heading: "tasks/s",
        number: |row| row.tasks_per_s,
        value: |row| figure(row.tasks_per_s),
        how: "tasks divided by the wall time, of the median run",
    },
    Column {
        heading: "spread",
        number: |row| row.spread,
        value: Row::spread_in_words,
        how: "the fastest run's tasks per second less the slowest's, in per cent of the median's, of five runs or more without \
              the outer quarters; beyond 25 % it is marked ~ and the row says more of the machine than of the model",
    },
    Column {
        heading: "tasks",
        number: |row| row.tasks.into(),
        value: |row| grouped(row.tasks.into()),
        how: "tasks in each run; those who take longer get fewer",
    },
    Column {
        heading: "wall s",
        number: |row| row.wall_s,
        value: |row| figure(row.wall_s),
        how: "seconds on the monotonic clock, from the first task's hand-over until the last result was collected; the model's \
              own start is part of it",
    },
    Column {
        heading: "p50 ms",
        number: |row| row.p50_ms,
        value: |row| figure(row.p50_ms),
        how: "median latency: milliseconds from a task's hand-over to the end of its body, by nearest rank",
    },
    Column {
        heading: "p90 ms",
        number: |row| row.p90_ms,
        value: |row| figure(row.p90_ms),
        how: "90th percentile of the same",
    },
    Column {
        heading: "p99 ms",
        number: |row| row.p99_ms,
        value: |row| figure(row.p99_ms),
        how: "99th percentile of the same",
    },
    Column {
        heading: "CPU s",
        number: |row| row.cpu_s,
        value: |row| figure(row.cpu_s),
        how: "processor seconds, user and kernel, of the row's process and all that it started, from getrusage",
    },
    Column {
        heading: "peak MiB",
        number: |row| mebibytes(row.peak_rss_bytes),
        value: |row| figure(mebibytes(row.peak_rss_bytes)),
        how: "greatest sum of those processes' resident memory, sampled every 10 ms; pages that several share count for each",
    },
    Column {
        heading: "switches",
        number: |row| row.ctx_voluntary as f64,
        value: |row| grouped(row.ctx_voluntary),
        how: "times that one of them gave up its processor to wait, from getrusage",
    },
    Column {
        heading: "invol.",
        number: |row| row.ctx_involuntary as f64,
        value: |row| grouped(row.ctx_involuntary),
        how: "times that the kernel took it away, from getrusage",
    },
];

/// One line under the headings and none elsewhere: the figures are what is looked at.
pub const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The columns that are least missed first, where a terminal is too narrow for all.
const EXPENDABLE: [&str; 10] = [
    "invol.", "wall s", "tasks", "p90 ms", "switches", "p50 ms", "spread", "CPU s", "peak MiB",
    "p99 ms",
];

/// One workload's rows, a model a line, and the columns that did not fit into so many characters.
pub fn table(rows: &[Row], width: Option<usize>) -> (Table, Vec<&'static str>) {
    let mut hidden: Vec<&str> = Vec::new();
    loop {
        let table = with_columns(rows, |column| !hidden.contains(&column.heading));
        let fits = width.is_none_or(|width| widest_line(&table) <= width);
        match EXPENDABLE.get(hidden.len()) {
            Some(next) if !fits => hidden.push(next),
            _ => return (table, hidden),
        }
    }
}

fn widest_line(table: &Table) -> usize {
    table
        .lines()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0)
}

fn with_columns(rows: &[Row], shown: impl Fn(&Column) -> bool) -> Table {
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| shown(column)).collect();
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(std::iter::once("model").chain(columns.iter().map(|column| column.heading)));
    for row in rows {
        let figures = columns.iter().map(|column| (column.value)(row));
        table.add_row(std::iter::once(row.contender.to_string()).chain(figures));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, EXPENDABLE, table, widest_line};
    use crate::{Contender, Model, Plan, Row, Run, Workload};

    #[test]
    fn a_narrow_terminal_has_the_columns_that_matter_most() {
        let plan = Plan::new(Workload::Echo, 100);
        let run = Run {
            wall_s: 0.5,
            ..Run::default()
        };
        let row = Row::of(Contender::python(Model::EventLoopPerCore), &plan, vec![run]);
        let rows = [row.unwrap()];
        let (all, nothing) = table(&rows, None);
        assert!(nothing.is_empty());
        let (narrow, hidden) = table(&rows, Some(80));
        assert!(
            widest_line(&all) > 80 && widest_line(&narrow) <= 80,
            "{narrow}"
        );
        assert!(
            narrow.to_string().contains("p99 ms") && !narrow.to_string().contains("invol."),
            "{narrow}"
        );
        assert_eq!(hidden[0], "invol.");
        let (least, hidden) = table(&rows, Some(1));
        assert_eq!(
            (least.to_string().contains("tasks/s"), hidden.len()),
            (true, 10)
        );
    }

    #[test]
    fn every_column_but_the_first_can_be_hidden() {
        assert!(
            COLUMNS
                .iter()
                .skip(1)
                .all(|column| EXPENDABLE.contains(&column.heading))
        );
    }
}
