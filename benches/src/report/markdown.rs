//! The figures as Markdown, for the README and the book.

use super::quantity::{QUANTITIES, Quantity};
use super::units::figure;
use super::verdict::verdict;
use super::{Report, Series};
use crate::{Contender, Row};

/// The machine, a table for each quantity with the best figure of each workload in bold, and the
/// verdicts.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("Measured on: {}.", report.machine);
    text += &report
        .python
        .iter()
        .map(|python| format!(" Python: {python}."))
        .collect::<String>();
    if report.rows.iter().any(Row::is_noisy) {
        text += " Rows with a ~ had runs more than 25 % apart.";
    }
    text.push('\n');
    for quantity in &QUANTITIES {
        text += &table(quantity, report);
    }
    text.push('\n');
    for series in report.series() {
        text += &format!(
            "- **{}** ({}, {} at once): {}\n",
            series.workload,
            series.workload.kind(),
            series.concurrency,
            verdict(series.rows)
        );
    }
    text
}

/// A line for each model, a column for each workload.
fn table(quantity: &Quantity, report: &Report) -> String {
    let columns: Vec<Series> = report.series().collect();
    let names: Vec<String> = columns
        .iter()
        .map(|series| name(*series, &columns))
        .collect();
    let mut text = format!(
        "\n| {} | {} |\n|---|{}\n",
        quantity.title,
        names.join(" | "),
        "---:|".repeat(columns.len())
    );
    let mut contenders: Vec<Contender> = report.rows.iter().map(|row| row.contender).collect();
    contenders.sort_unstable();
    contenders.dedup();
    for contender in contenders {
        let cells: Vec<String> = columns
            .iter()
            .map(|series| cell(quantity, series.rows, contender))
            .collect();
        text += &format!("| {contender} | {} |\n", cells.join(" | "));
    }
    text
}

/// The workload, with its concurrency when it was measured at several.
fn name(series: Series, all: &[Series]) -> String {
    let of_workload = all.iter().filter(|other| other.workload == series.workload);
    if of_workload.count() == 1 {
        series.workload.to_string()
    } else {
        format!("{} × {}", series.workload, series.concurrency)
    }
}

/// The model's figure, empty if it was not measured.
fn cell(quantity: &Quantity, rows: &[Row], contender: Contender) -> String {
    let Some(row) = rows.iter().find(|row| row.contender == contender) else {
        return String::new();
    };
    let mark = if row.is_noisy() { "~" } else { "" };
    let value = format!("{mark}{}", figure((quantity.value)(row)));
    if quantity.is_best(row, rows) {
        format!("**{value}**")
    } else {
        value
    }
}
