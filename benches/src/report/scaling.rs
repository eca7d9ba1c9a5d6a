//! How the models scale: tasks per second over tasks at once, both in powers, as SVG.

use super::crossover::place;
use super::svg::Svg;
use super::units::{figure, grouped};
use crate::{Language, Model, Row};

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 138.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 42.0;
/// Labels at the lines' ends keep this distance.
const LABEL: f64 = 15.0;

/// A chart of these rows of one workload; `None` unless they are of several concurrencies.
pub fn chart(rows: &[&Row]) -> Option<String> {
    let rows: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| {
            row.contender.language == Language::Rust && row.contender.model != Model::Serial
        })
        .collect();
    let mut at_once: Vec<usize> = rows.iter().map(|row| row.concurrency).collect();
    at_once.sort_unstable();
    at_once.dedup();
    if at_once.len() < 2 {
        return None;
    }
    let axes = Axes::of(&rows);
    let lines: Vec<(Model, Vec<&Row>)> = Model::ALL
        .into_iter()
        .map(|model| (model, of_model(&rows, model)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    let spoken: Vec<String> = lines
        .iter()
        .map(|(model, points)| speak(*model, points))
        .collect();
    let mut drawn = axes.draw(&at_once);
    for (model, points) in &lines {
        drawn += &axes.line(*model, points);
    }
    drawn += &axes.labels(&lines);
    let workload = rows.first()?.workload;
    let picture = Svg {
        class: "scaling",
        id: &format!("{workload}-scaling-picture"),
        width: WIDTH,
        height: HEIGHT,
        title: &format!("{workload}: tasks per second by tasks at once"),
        description: &spoken.join("; "),
        drawn: &drawn,
    };
    Some(picture.to_string())
}

fn of_model<'r>(rows: &[&'r Row], model: Model) -> Vec<&'r Row> {
    let mut points: Vec<&Row> = rows
        .iter()
        .copied()
        .filter(|row| row.contender.model == model)
        .collect();
    points.sort_by_key(|row| row.concurrency);
    points
}

fn speak(model: Model, points: &[&Row]) -> String {
    let figures: Vec<String> = points
        .iter()
        .map(|row| {
            format!(
                "{} at {}",
                figure(row.tasks_per_s),
                grouped(row.concurrency as i64)
            )
        })
        .collect();
    format!("{model}: {}", figures.join(", "))
}

/// Where figures are on the picture.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn of(rows: &[&Row]) -> Self {
        let range = |value: fn(&Row) -> f64| {
            let values = rows.iter().map(|row| value(row).max(1.0).log10());
            values.fold((f64::MAX, f64::MIN), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (low, high) = range(|row| row.tasks_per_s);
        Self {
            x: range(|row| row.concurrency as f64),
            y: (low.floor(), high.ceil().max(low.floor() + 1.0)),
        }
    }

    fn x(&self, concurrency: usize) -> f64 {
        let part = ((concurrency as f64).log10() - self.x.0) / (self.x.1 - self.x.0);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, rate: f64) -> f64 {
        let part = (rate.max(1.0).log10() - self.y.0) / (self.y.1 - self.y.0);
        HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
    }

    fn draw(&self, at_once: &[usize]) -> String {
        let mut svg = String::new();
        for power in self.y.0 as i32..=self.y.1 as i32 {
            let (rate, right) = (10_f64.powi(power), WIDTH - RIGHT);
            let y = self.y(rate);
            svg += &format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"label\" x=\"{}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                grouped(rate as i64)
            );
        }
        for concurrency in at_once {
            let x = self.x(*concurrency);
            let (y, name) = (HEIGHT - BOTTOM + 16.0, grouped(*concurrency as i64));
            svg += &format!(
                "<text class=\"figure\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{name}</text>"
            );
        }
        let (middle, bottom) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 8.0);
        svg += &format!(
            "<text class=\"figure\" x=\"4\" y=\"12\">tasks a second, in powers of ten</text>\
             <text class=\"figure\" x=\"{middle}\" y=\"{bottom}\" text-anchor=\"middle\">tasks in flight at once</text>"
        );
        svg
    }

    fn line(&self, model: Model, points: &[&Row]) -> String {
        let at = |row: &&Row| {
            format!(
                "{:.1},{:.1}",
                self.x(row.concurrency),
                self.y(row.tasks_per_s)
            )
        };
        let path: Vec<String> = points.iter().map(at).collect();
        let dots: String = points
            .iter()
            .map(|row| {
                format!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"><title>{model}, {} at once: {} tasks/s</title></circle>",
                    self.x(row.concurrency),
                    self.y(row.tasks_per_s),
                    row.concurrency,
                    figure(row.tasks_per_s)
                )
            })
            .collect();
        format!(
            "<g class=\"line-{}\"><polyline points=\"{}\"/>{dots}</g>",
            place(model),
            path.join(" ")
        )
    }

    /// The models' names beside their last points, moved apart where they would cover each other.
    fn labels(&self, lines: &[(Model, Vec<&Row>)]) -> String {
        let mut ends: Vec<(f64, f64, Model)> = lines
            .iter()
            .filter_map(|(model, points)| {
                let last = points.last()?;
                Some((self.y(last.tasks_per_s), self.x(last.concurrency), *model))
            })
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = TOP;
        let mut svg = String::new();
        for (nth, (y, end, model)) in ends.iter().enumerate() {
            // Those below must fit, too.
            let below = (ends.len() - nth) as f64 * LABEL;
            let at = y.max(free).min(HEIGHT - BOTTOM + 8.0 - below + LABEL);
            free = at + LABEL;
            let x = WIDTH - RIGHT + 14.0;
            svg += &format!(
                "<g class=\"line-{}\"><line class=\"lead\" x1=\"{end:.1}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{at:.1}\"/>\
                 <circle cx=\"{1}\" cy=\"{at:.1}\" r=\"4\"/></g><text x=\"{2}\" y=\"{3:.1}\">{model}</text>",
                place(*model),
                x - 4.0,
                x + 4.0,
                at + 4.0
            );
        }
        svg
    }
}
