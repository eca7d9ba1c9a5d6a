//! The figures as Markdown, for the README and the book.

use super::Report;
use super::quantity::{QUANTITIES, Quantity};
use super::units::figure;
use super::verdict::verdict;
use crate::{Model, Row, Workload};

/// The machine, a table for each quantity with the best figure of each workload in bold, and the
/// verdicts.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("Measured on: {}.\n", report.machine);
    for quantity in &QUANTITIES {
        text += &table(quantity, report);
    }
    text.push('\n');
    for (workload, rows) in report.by_workload() {
        text += &format!(
            "- **{workload}** ({}): {}\n",
            workload.kind(),
            verdict(rows)
        );
    }
    text
}

/// A line for each model, a column for each workload.
fn table(quantity: &Quantity, report: &Report) -> String {
    let columns: Vec<(Workload, &[Row])> = report.by_workload().collect();
    let names: Vec<String> = columns
        .iter()
        .map(|(workload, _)| workload.to_string())
        .collect();
    let mut text = format!(
        "\n| {} | {} |\n|---|{}\n",
        quantity.title,
        names.join(" | "),
        "---:|".repeat(columns.len())
    );
    for model in Model::ALL {
        let cells: Vec<String> = columns
            .iter()
            .map(|(_, rows)| cell(quantity, rows, model))
            .collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            text += &format!("| {model} | {} |\n", cells.join(" | "));
        }
    }
    text
}

/// The model's figure, empty if it was not measured.
fn cell(quantity: &Quantity, rows: &[Row], model: Model) -> String {
    let Some(row) = rows.iter().find(|row| row.model == model) else {
        return String::new();
    };
    let value = figure((quantity.value)(row));
    if quantity.is_best(row, rows) {
        format!("**{value}**")
    } else {
        value
    }
}
