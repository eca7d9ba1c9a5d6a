//! The page: one file that needs nothing from elsewhere.

use super::chart::{Bar, bars};
use super::quantity::{QUANTITIES, Quantity};
use super::table::{COLUMNS, Column};
use super::verdict::verdict;
use super::{Report, Series, crossover, lanes, scaling};
use crate::{Language, Model, Row, Workload};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The report as HTML.
pub fn page(report: &Report) -> String {
    let mut sections: Vec<(String, String)> = Vec::new();
    sections.extend(
        report
            .map
            .as_ref()
            .map(|map| (String::from("map"), map_section(map))),
    );
    sections.extend(scaling_sections(report));
    sections.extend(
        report
            .series()
            .map(|series| (name(series), section(series))),
    );
    sections.extend(timeline_section(report));
    sections.push(("method".into(), method()));
    let links: String = sections
        .iter()
        .map(|(id, _)| format!("<a href=\"#{id}\">{id}</a>"))
        .collect();
    let body: String = sections
        .iter()
        .map(|(id, html)| format!("<section id=\"{id}\">\n{html}</section>\n"))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>Which model for my workload?</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>Which model for my workload?</h1>\n<p>Processes, threads, coroutines or an event loop, measured on {}.</p>\n\
         <p>{}</p>\n<nav>{links}</nav>\n</header>\n<main>\n{body}</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&report.machine.to_string()),
        escape(&versions(report)),
    )
}

/// A picture of the page as a file of its own.
fn picture(svg: &str) -> String {
    let svg = svg.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
    let style = format!(
        "><style>{STYLE} svg {{ background: var(--card); font-family: sans-serif }}</style>"
    );
    svg.replacen('>', &style, 1) + "\n"
}

/// The page's pictures as files of their own, by their names.
pub fn pictures(report: &Report) -> Vec<(String, String)> {
    let map = report
        .map
        .as_ref()
        .map(|map| (String::from("map.svg"), picture(&crossover::svg(map))));
    let scaling = Workload::ALL.into_iter().filter_map(|workload| {
        let rows: Vec<&Row> = report
            .rows
            .iter()
            .filter(|row| row.workload == workload)
            .collect();
        Some((
            format!("{workload}-scaling.svg"),
            picture(&scaling::chart(&rows)?),
        ))
    });
    let timeline = (!report.timelines.is_empty()).then(|| {
        (
            String::from("timeline.svg"),
            lanes::document(Workload::Ab, &report.timelines),
        )
    });
    map.into_iter().chain(scaling).chain(timeline).collect()
}

/// With what the figures were measured.
fn versions(report: &Report) -> String {
    let compare = format!("compare {}", env!("CARGO_PKG_VERSION"));
    report
        .python
        .iter()
        .fold(compare, |text, python| text + "; " + python)
}

fn map_section(map: &crate::map::Map) -> String {
    format!(
        "<h2>The crossover map</h2>\n<p>Tasks that take {} ms each when nothing is in their way: who wins, by how much they compute \
         and how many are in flight at once. A paler cell is level with others, within a tenth. <a href=\"#how-map\">How?</a></p>\n\
         <div class=\"wide\">{}</div>\n",
        map.task_ms,
        crossover::svg(map)
    )
}

/// A chart for each workload that was measured at several concurrencies.
fn scaling_sections(report: &Report) -> Vec<(String, String)> {
    let charted = Workload::ALL.into_iter().filter_map(|workload| {
        let rows: Vec<&Row> = report.rows.iter().filter(|row| row.workload == workload).collect();
        let html = format!(
            "<h2>{workload}: from few to many</h2>\n<p>{}: tasks per second over tasks in flight at once. \
             A line that ends early is a model that was left out beyond. <a href=\"#how-tasks-s\">How?</a></p>\n<div class=\"wide\">{}</div>\n",
            capitalized(workload.about()),
            scaling::chart(&rows)?
        );
        Some((format!("{workload}-scaling"), html))
    });
    charted.collect()
}

fn name(series: Series) -> String {
    format!("{}-{}", series.workload, series.concurrency)
}

fn section(series: Series) -> String {
    let Series {
        workload,
        concurrency,
        rows,
        ..
    } = series;
    let charts: Vec<String> = QUANTITIES
        .iter()
        .map(|quantity| chart(quantity, rows))
        .collect();
    let left_out: String = series
        .left_out()
        .map(|left_out| format!("<p>{}</p>\n", capitalized(&escape(&left_out.to_string()))))
        .collect();
    format!(
        "<h2>{workload}, {concurrency} at once <small>{}</small></h2>\n<p>{}.</p>\n\
         <p class=\"verdict\">{}</p>\n<div class=\"charts\">\n{}\n</div>\n{}{left_out}",
        workload.kind(),
        capitalized(&escape(workload.about())),
        capitalized(&escape(&verdict(rows))),
        charts.join("\n"),
        table(rows)
    )
}

fn chart(quantity: &Quantity, rows: &[Row]) -> String {
    let title = format!("{} ({})", capitalized(quantity.title), quantity.direction());
    let drawn: Vec<Bar> = rows
        .iter()
        .map(|row| Bar {
            label: row.contender.to_string(),
            value: (quantity.value)(row),
            highlight: quantity.is_best(row, rows),
            python: row.contender.language == Language::Python,
        })
        .collect();
    bars(&title, quantity.how, &drawn)
}

fn table(rows: &[Row]) -> String {
    let headings: String = COLUMNS.iter().map(heading).collect();
    let lines: String = rows.iter().map(line).collect();
    format!(
        "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\"><button type=\"button\">model</button></th>{headings}</tr></thead>\n\
         <tbody>\n{lines}</tbody>\n</table></div>\n"
    )
}

fn heading(column: &Column) -> String {
    format!(
        "<th scope=\"col\"><button type=\"button\">{0}</button> <a href=\"#{1}\" aria-label=\"how {0} is measured\">?</a></th>",
        column.heading,
        column.anchor()
    )
}

fn line(row: &Row) -> String {
    let cells: String = COLUMNS
        .iter()
        .map(|column| {
            format!(
                "<td data-value=\"{}\">{}</td>",
                (column.number)(row),
                (column.value)(row)
            )
        })
        .collect();
    let class = if row.contender.language == Language::Python {
        " class=\"py\""
    } else {
        ""
    };
    format!(
        "<tr{class}><th scope=\"row\">{}</th>{cells}</tr>\n",
        row.contender
    )
}

fn timeline_section(report: &Report) -> Option<(String, String)> {
    let longest = report
        .timelines
        .iter()
        .map(|timeline| timeline.length_ns)
        .max()?;
    let figures: String = report
        .timelines
        .iter()
        .map(|timeline| lanes::figure(Workload::Ab, timeline, longest))
        .collect();
    let html = format!(
        "<h2>Who ran when</h2>\n<p>Two tasks: {}. Thick is running, thin is waiting; \
         <code>compare timeline</code> draws any workload.</p>\n<div class=\"wide\">{figures}</div>\n",
        Workload::Ab.about()
    );
    Some(("timeline".into(), html))
}

/// What the figures mean and what the models are.
fn method() -> String {
    let models: String = Model::ALL
        .iter()
        .map(|model| format!("<dt>{model}</dt><dd>{}</dd>", capitalized(model.about())))
        .collect();
    let figures: String = COLUMNS
        .iter()
        .map(|column| {
            format!(
                "<dt id=\"{}\">{}</dt><dd>{}</dd>",
                column.anchor(),
                column.heading,
                capitalized(column.how)
            )
        })
        .collect();
    format!(
        "<h2>How it was measured</h2>\n\
         <p>Each run of a row was a process of its own, and the models of a workload took turns: one run each that does not \
         count, then every model once a round, each round beginning with another one. The median run by wall time is shown. \
         At most so many tasks as stated were handed over and unfinished at any moment. The services that IO-bound tasks ask \
         are in a process of their own, on the same machine, and not counted. Every task gave the checksum that it gave to the \
         other models. Python's models were measured with fewer tasks, and in one round unless more were asked for.</p>\n\
         <h3>The figures</h3>\n<dl>{figures}<dt id=\"how-map\">crossover map</dt><dd>Each cell is every model on the same tasks: \
         a chain of hashes of the stated length, then a request to a service that takes the rest of the time. The winner has most \
         tasks per second.</dd></dl>\n<h3>The models</h3>\n<dl>{models}</dl>\n"
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
