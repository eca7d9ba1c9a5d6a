//! The page: one file that needs nothing from elsewhere.

use super::chart::{Bar, bars};
use super::quantity::{QUANTITIES, Quantity};
use super::svg::escape;
use super::table::{COLUMNS, Column};
use super::units::capitalized;
use super::verdict::verdict;
use super::{Report, Series, crossover, lanes, scaling, summary};
use crate::map::Map;
use crate::{Language, Model, Row, Workload};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A part of the page that the head leads to.
struct Section {
    /// Its place in links.
    id: String,
    /// What the link to it says.
    name: String,
    html: String,
}

impl Section {
    fn new(id: &str, name: impl Into<String>, html: String) -> Self {
        Self {
            id: id.to_owned(),
            name: name.into(),
            html,
        }
    }
}

/// The report as HTML.
pub fn page(report: &Report) -> String {
    let mut sections: Vec<Section> = Vec::new();
    sections.extend(short_section(report));
    sections.extend(report.map.as_ref().map(map_section));
    sections.extend(scaling_sections(report));
    sections.extend(report.series().map(|series| section(series, report)));
    sections.extend(timeline_section(report));
    sections.push(method());
    let links: String = sections
        .iter()
        .map(|section| format!("<a href=\"#{}\">{}</a>", section.id, section.name))
        .collect();
    let body: String = sections
        .iter()
        .map(|Section { id, html, .. }| format!("<section id=\"{id}\">\n{html}</section>\n"))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>Which model for my workload?</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <a class=\"skip\" href=\"#main\">To the results</a>\n\
         <h1>Which model for my workload?</h1>\n<p>Processes, threads, coroutines or an event loop, measured on {}.</p>\n\
         <p>{}</p>\n{}<nav aria-label=\"Sections\">{links}</nav>\n</header>\n<main id=\"main\">\n{body}</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&report.machine.to_string()),
        escape(&versions(report)),
        busy(report),
    )
}

/// A banner, if the machine was busy.
fn busy(report: &Report) -> String {
    let noise = report.noise();
    noise.map_or_else(String::new, |noise| {
        format!("<p class=\"busy\">{}</p>\n", escape(&noise))
    })
}

/// The answer in plain words, before any figure.
fn short_section(report: &Report) -> Option<Section> {
    let answers = summary::answers(&report.series().collect::<Vec<_>>());
    let item = |answer: &summary::Answer| {
        format!(
            "<li><span class=\"when\">They {}</span> <strong>{}</strong> <span class=\"gain\">{}</span> <span class=\"because\">{} <a href=\"#{}\">Figures</a></span></li>\n",
            escape(&answer.when),
            capitalized(&escape(&answer.take)),
            escape(&answer.gain),
            note(&answer.because),
            answer.see
        )
    };
    let items: String = answers.iter().map(item).collect();
    let html = format!(
        "<h2>In short: what do your tasks do?</h2>\n<ul class=\"answers\">\n{items}</ul>\n\
         <p>Of models that are level, the simplest. Your own mix: \
         <code>compare advise --cpu 2ms --io 40ms --tasks 10000</code> measures it here. <a href=\"#method\">How?</a></p>\n"
    );
    (!answers.is_empty()).then(|| Section::new("in-short", "in short", html))
}

/// A sentence, or nothing.
fn note(because: &str) -> String {
    if because.is_empty() {
        return String::new();
    }
    capitalized(&escape(because)) + "."
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

fn map_section(map: &Map) -> Section {
    let html = format!(
        "<h2>The crossover map</h2>\n<p>Tasks that take {} ms each when nothing is in their way: who wins, by how much they compute \
         and how many are in flight at once; {}. <a href=\"#how-map\">How?</a></p>\n{}",
        map.task_ms,
        crossover::certainty(map),
        wide("The crossover map", &crossover::svg(map))
    );
    Section::new("map", "crossover map", html)
}

/// A chart for each workload that was measured at several concurrencies.
fn scaling_sections(report: &Report) -> Vec<Section> {
    let charted = Workload::ALL.into_iter().filter_map(|workload| {
        let rows: Vec<&Row> = report.rows.iter().filter(|row| row.workload == workload).collect();
        let html = format!(
            "<h2>{workload}: from few to many</h2>\n<p>{}: tasks per second over tasks in flight at once. \
             A line that ends early is a model that was left out beyond. <a href=\"#how-tasks-s\">How?</a></p>\n{}",
            capitalized(workload.about()),
            wide(&format!("{workload}: tasks per second by tasks at once"), &scaling::chart(&rows)?)
        );
        Some(Section::new(
            &format!("{workload}-scaling"),
            format!("{workload}, from few to many"),
            html,
        ))
    });
    charted.collect()
}

fn section(series: Series, report: &Report) -> Section {
    let Series {
        workload,
        concurrency,
        rows,
        ..
    } = series;
    let charts: Vec<String> = QUANTITIES
        .iter()
        .map(|quantity| chart(&series.name(), quantity, rows))
        .collect();
    let left_out: String = series
        .left_out()
        .map(|left_out| format!("<p>{}</p>\n", capitalized(&escape(&left_out.to_string()))))
        .collect();
    let html = format!(
        "<h2>{workload}, {concurrency} at once <small>{}</small></h2>\n<p>{}.</p>\n\
         <p class=\"verdict\">{}</p>\n<div class=\"charts\">\n{}\n</div>\n{}{left_out}",
        workload.kind(),
        capitalized(&escape(workload.about())),
        capitalized(&escape(&verdict(rows))),
        charts.join("\n"),
        wide(
            &format!("{workload}, {concurrency} at once: all figures"),
            &table(rows)
        )
    );
    Section::new(&series.name(), series.title(report), html)
}

/// What a narrow window shows in part: it can be scrolled sideways, with the keyboard too.
fn wide(label: &str, html: &str) -> String {
    format!(
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\">{html}</div>\n"
    )
}

fn chart(section: &str, quantity: &Quantity, rows: &[Row]) -> String {
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
    bars(
        &format!("{section}-{}", quantity.how),
        &title,
        quantity.how,
        &drawn,
    )
}

fn table(rows: &[Row]) -> String {
    let headings: String = COLUMNS.iter().map(heading).collect();
    let lines: String = rows.iter().map(line).collect();
    format!(
        "<table>\n<thead><tr><th scope=\"col\"><button type=\"button\">model</button></th>{headings}</tr></thead>\n\
         <tbody>\n{lines}</tbody>\n</table>"
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

fn timeline_section(report: &Report) -> Option<Section> {
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
         <code>compare timeline</code> draws any workload. <a href=\"#how-timeline\">How?</a></p>\n{}",
        Workload::Ab.about(),
        wide("Timelines", &figures)
    );
    Some(Section::new("timeline", "who ran when", html))
}

/// What the figures mean and what the models are.
fn method() -> Section {
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
    let html = format!(
        "<h2>How it was measured</h2>\n\
         <p>Each run of a row was a process of its own, and the models of a workload took turns: one run each that does not \
         count, then every model once a round, each round beginning with another one. The median run by wall time is shown. \
         At most so many tasks as stated were handed over and unfinished at any moment. The services that IO-bound tasks ask \
         are in a process of their own, on the same machine, and not counted. Every task gave the checksum that it gave to the \
         other models. Python's models were measured with fewer tasks, and in one round unless more were asked for.</p>\n\
         <h3>The figures</h3>\n<dl>{figures}<dt id=\"how-map\">crossover map</dt><dd>Each cell is every model on the same tasks: \
         a chain of hashes of the stated length, then a request to a service that takes the rest of the time. A model wins if its \
         median run is ahead of each other model's by more than a tenth and by more than the runs of either were apart. Models that \
         no other is ahead of are level (=), and the simplest of them is named. A single run counts as one that may be off by \
         half.</dd>\
         <dt id=\"how-timeline\">timelines</dt><dd>Each task notes, on the monotonic clock, when it begins and ends to compute and to wait, \
         and in which process and thread.</dd></dl>\n<h3>The models</h3>\n<dl>{models}</dl>\n"
    );
    Section::new("method", "how it was measured", html)
}
