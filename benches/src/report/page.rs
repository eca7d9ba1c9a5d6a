//! The page: one file that needs nothing from elsewhere.

use std::fmt::Write;

use super::chart::{Bar, bars};
use super::quantity::{QUANTITIES, Quantity};
use super::table::COLUMNS;
use super::verdict::verdict;
use super::{Report, Series};
use crate::{Model, Row};

const STYLE: &str = include_str!("page.css");

/// The report as HTML.
pub fn page(report: &Report) -> String {
    let mut sections = String::new();
    for series in report.series() {
        section(&mut sections, series);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Which model for my workload?</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>Which model for my workload?</h1>\n<p>Processes, threads, coroutines or an event loop, measured on {}.</p>\n\
         </header>\n<main>\n{sections}{}</main>\n</body>\n</html>\n",
        escape(&report.machine.to_string()),
        method()
    )
}

fn section(out: &mut String, series: Series) {
    let Series {
        workload,
        concurrency,
        rows,
        ..
    } = series;
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "<section id=\"{workload}-{concurrency}\">\n<h2>{workload} <small>{}</small></h2>\n<p>{}: {concurrency} at once.</p>\n\
         <p class=\"verdict\">{}</p>\n<div class=\"charts\">\n",
        workload.kind(),
        capitalized(&escape(workload.about())),
        capitalized(&escape(&verdict(rows))),
    );
    for quantity in &QUANTITIES {
        out.push_str(&chart(quantity, rows));
        out.push('\n');
    }
    out.push_str("</div>\n");
    out.push_str(&table(rows));
    out.push_str("</section>\n");
}

fn chart(quantity: &Quantity, rows: &[Row]) -> String {
    let title = format!("{} ({})", capitalized(quantity.title), quantity.direction());
    let drawn: Vec<Bar> = rows
        .iter()
        .map(|row| Bar {
            label: row.contender.to_string(),
            value: (quantity.value)(row),
            highlight: quantity.is_best(row, rows),
        })
        .collect();
    bars(&title, &drawn)
}

fn table(rows: &[Row]) -> String {
    let headings: String = COLUMNS
        .iter()
        .map(|column| format!("<th scope=\"col\">{}</th>", column.heading))
        .collect();
    let lines: String = rows
        .iter()
        .map(|row| {
            let cells: String = COLUMNS
                .iter()
                .map(|column| format!("<td>{}</td>", (column.value)(row)))
                .collect();
            format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", row.contender)
        })
        .collect();
    format!(
        "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">model</th>{headings}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>\n"
    )
}

/// What the figures mean and what the models are.
fn method() -> String {
    let models: String = Model::ALL
        .iter()
        .map(|model| format!("<dt>{model}</dt><dd>{}</dd>", capitalized(model.about())))
        .collect();
    format!(
        "<section id=\"method\">\n<h2>How it was measured</h2>\n<dl>{models}</dl>\n\
         <p>Each row ran in a process of its own. At most so many tasks as stated were handed over and unfinished at \
         any moment; a task's latency runs from its hand-over to the end of its body. Processor time and context \
         switches are those of the row's process and of all that it started; the services that IO-bound tasks ask are \
         not among them. Peak memory is the greatest sum of their resident memory, sampled every 10 ms, pages that \
         several share counted for each. Rows took turns, several rounds, after one that does not count; \
         the median run is shown, and the spread is the fastest run less the slowest in parts of it. Every task gave \
         the checksum that it gave to the others.</p>\n</section>\n"
    )
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
