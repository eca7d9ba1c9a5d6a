//! The table in the terminal, and its columns, which the page shares.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::units::{figure, grouped, mebibytes};
use crate::Row;

/// A column: its heading, and how a row fills it.
pub struct Column {
    /// What it shows, with the unit.
    pub heading: &'static str,
    /// The row's figure.
    pub value: fn(&Row) -> String,
}

/// Every column after the model's name.
pub const COLUMNS: [Column; 11] = [
    Column {
        heading: "tasks/s",
        value: |row| figure(row.tasks_per_s),
    },
    Column {
        heading: "spread",
        value: |row| {
            let mark = if row.is_noisy() { "~" } else { "" };
            match row.runs {
                1 => String::from("one run"),
                _ => format!("{mark}{:.0} %", 100.0 * row.spread),
            }
        },
    },
    Column {
        heading: "tasks",
        value: |row| grouped(row.tasks.into()),
    },
    Column {
        heading: "wall s",
        value: |row| figure(row.wall_s),
    },
    Column {
        heading: "p50 ms",
        value: |row| figure(row.p50_ms),
    },
    Column {
        heading: "p90 ms",
        value: |row| figure(row.p90_ms),
    },
    Column {
        heading: "p99 ms",
        value: |row| figure(row.p99_ms),
    },
    Column {
        heading: "CPU s",
        value: |row| figure(row.cpu_s),
    },
    Column {
        heading: "peak MiB",
        value: |row| figure(mebibytes(row.peak_rss_bytes)),
    },
    Column {
        heading: "switches",
        value: |row| grouped(row.ctx_voluntary),
    },
    Column {
        heading: "invol.",
        value: |row| grouped(row.ctx_involuntary),
    },
];

/// One line under the headings and none elsewhere: the figures are what is looked at.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// One workload's rows, a model a line.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(std::iter::once("model").chain(COLUMNS.iter().map(|column| column.heading)));
    for row in rows {
        let figures = COLUMNS.iter().map(|column| (column.value)(row));
        table.add_row(std::iter::once(row.contender.to_string()).chain(figures));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
