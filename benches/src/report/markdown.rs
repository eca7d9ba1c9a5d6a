//! The figures as Markdown, for the README and the book.

use super::quantity::{QUANTITIES, Quantity};
use super::units::{capitalized, figure};
use super::verdict::verdict;
use super::{Report, Series, summary};
use crate::{Contender, Row};

/// The machine and the answers.
pub fn short(report: &Report) -> String {
    machine(report) + &answers(report)
}

/// The machine, the answers, a table for each quantity with the best figure of each workload in bold, and the verdicts.
pub fn markdown(report: &Report) -> String {
    let mut text = machine(report) + &answers(report);
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

/// With what the figures were measured, and what their marks mean.
fn machine(report: &Report) -> String {
    let mut text = format!("Measured on: {}.", report.machine);
    text.extend(
        report
            .python
            .iter()
            .map(|python| format!(" {}.", capitalized(python))),
    );
    if report.rows.iter().any(Row::is_noisy) {
        text += " Rows with a ~ had runs more than 25 % apart.";
    }
    text.push('\n');
    text
}

/// The gain, and what else there is to know.
fn noted(answer: &summary::Answer) -> String {
    if answer.because.is_empty() {
        return answer.gain.clone();
    }
    format!("{}; {}", answer.gain, answer.because)
}

/// The answer for each kind of work.
fn answers(report: &Report) -> String {
    let answers = summary::answers(&report.series().collect::<Vec<_>>());
    if answers.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n| tasks | use | measured here |\n|---|---|---|\n");
    for answer in answers {
        text += &format!(
            "| {} | {} | {} |\n",
            capitalized(&answer.when),
            answer.take,
            noted(&answer)
        );
    }
    text
}

/// A line for each model, a column for each workload.
fn table(quantity: &Quantity, report: &Report) -> String {
    let columns: Vec<Series> = report.series().collect();
    let names: Vec<String> = columns.iter().map(|series| series.title(report)).collect();
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
