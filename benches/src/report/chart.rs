//! Horizontal bar charts as SVG.

use super::svg::Svg;
use super::units::figure;

/// One bar.
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// How long it is, in the chart's unit.
    pub value: f64,
    /// Whether it is the one to look at.
    pub highlight: bool,
    /// Whether it is Python's.
    pub python: bool,
}

const WIDTH: f64 = 400.0;
const LABEL: f64 = 172.0;
const FIGURE: f64 = 52.0;
const ROW: f64 = 22.0;

/// A chart of these bars, all from zero on one scale, each with its figure at its end.
///
/// `title` names the quantity with its unit; with all figures it is also the text alternative.
/// `how` is where the page tells how they were measured, `id` the chart's name on the page.
pub fn bars(id: &str, title: &str, how: &str, bars: &[Bar]) -> String {
    let most = bars
        .iter()
        .map(|bar| bar.value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW * bars.len() as f64;
    let spoken: Vec<String> = bars
        .iter()
        .map(|bar| format!("{} {}", bar.label, figure(bar.value)))
        .collect();
    let drawn: String = bars
        .iter()
        .enumerate()
        .map(|(at, bar)| draw(bar, ROW * at as f64, most))
        .collect();
    let picture = Svg {
        class: "",
        id,
        width: WIDTH,
        height,
        title,
        description: &spoken.join(", "),
        drawn: &drawn,
    };
    format!(
        "<figure><figcaption>{title} <a href=\"#{how}\" aria-label=\"how it is measured\">?</a></figcaption>{picture}</figure>"
    )
}

fn draw(bar: &Bar, top: f64, most: f64) -> String {
    let length = (bar.value / most * (WIDTH - LABEL - FIGURE)).max(1.0);
    let middle = top + ROW / 2.0 + 4.0;
    let class = match (bar.highlight, bar.python) {
        (true, _) => "best",
        (false, true) => "python",
        (false, false) => "bar",
    };
    format!(
        "<text class=\"label\" x=\"{}\" y=\"{middle}\">{}</text>\
         <rect class=\"{class}\" x=\"{LABEL}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" rx=\"2\"/>\
         <text class=\"figure\" x=\"{:.1}\" y=\"{middle}\">{}</text>",
        LABEL - 8.0,
        bar.label,
        top + 3.0,
        ROW - 6.0,
        LABEL + length + 6.0,
        figure(bar.value),
    )
}
