//! The crossover map as text and as SVG.

use super::units::figure;
use crate::Model;
use crate::map::{Cell, Map};

const CELL: (f64, f64) = (150.0, 52.0);
const LEFT: f64 = 74.0;
const TOP: f64 = 22.0;

/// The map for a terminal.
pub fn text(map: &Map) -> String {
    let width = 30;
    let mut text = format!(
        "the crossover map: tasks of {} ms; who wins at so many at once, and by how much over the next\n{:>12}",
        map.task_ms, "computing"
    );
    for at_once in &map.at_once {
        text += &format!("  {:<width$}", format!("{at_once} at once"));
    }
    for (percent, line) in map.cpu_percent.iter().zip(map.lines()) {
        text += &format!("\n{:>12}", format!("{percent} %"));
        for cell in line {
            text += &format!("  {:<width$}", words(cell));
        }
    }
    let text: Vec<&str> = text.lines().map(str::trim_end).collect();
    text.join("\n") + "\n"
}

/// The winner and its lead, or those who are level.
fn words(cell: &Cell) -> String {
    let Some((model, lead)) = cell.winner() else {
        return String::from("nobody");
    };
    match cell.ties().len() {
        0 => format!("{model} ×{}", figure(lead)),
        1 => format!("{model} = {}", cell.ties()[0]),
        more => format!("{model} = {more} others"),
    }
}

/// The map for the page: a cell's colour is its winner, and paler where others are level.
pub fn svg(map: &Map) -> String {
    let width = LEFT + CELL.0 * map.at_once.len() as f64;
    let height = TOP + CELL.1 * map.cpu_percent.len() as f64;
    let mut drawn = String::new();
    for (nth, at_once) in map.at_once.iter().enumerate() {
        let x = LEFT + CELL.0 * (nth as f64 + 0.5);
        drawn +=
            &format!("<text x=\"{x}\" y=\"14\" text-anchor=\"middle\">{at_once} at once</text>");
    }
    for (nth, (percent, line)) in map.cpu_percent.iter().zip(map.lines()).enumerate() {
        let top = TOP + CELL.1 * nth as f64;
        drawn += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{percent} % CPU</text>",
            LEFT - 6.0,
            top + 30.0
        );
        for (column, cell) in line.iter().enumerate() {
            drawn += &draw(cell, LEFT + CELL.0 * column as f64, top);
        }
    }
    let spoken: Vec<String> = map
        .cells
        .iter()
        .map(|cell| {
            format!(
                "{} % computing, {} at once: {}",
                cell.cpu_percent,
                cell.concurrency,
                words(cell)
            )
        })
        .collect();
    format!(
        "<svg class=\"map\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">{drawn}</svg>",
        spoken.join("; ")
    )
}

fn draw(cell: &Cell, x: f64, top: f64) -> String {
    let Some((model, lead)) = cell.winner() else {
        return String::new();
    };
    let ties = cell.ties();
    let below = match ties.len() {
        0 => format!("{} times the next", figure(lead)),
        // Not by its name, which may be wider than the cell; the title has it.
        1 => "level with one other".to_owned(),
        more => format!("level with {more} others"),
    };
    let ranking: Vec<String> = cell
        .ranking
        .iter()
        .map(|(model, rate)| format!("{model}: {} tasks/s", figure(*rate)))
        .collect();
    let paler = if ties.is_empty() { 1.0 } else { 0.55 };
    let middle = x + CELL.0 / 2.0;
    format!(
        "<g><title>{}</title><rect class=\"model-{}\" fill-opacity=\"{paler}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\"/>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"600\">{model}</text>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{below}</text></g>",
        ranking.join("\n"),
        place(model),
        x + 1.5,
        top + 1.5,
        CELL.0 - 3.0,
        CELL.1 - 3.0,
        top + 23.0,
        top + 40.0,
    )
}

/// The model's number, which the page's style gives a colour.
pub fn place(model: Model) -> usize {
    Model::ALL.iter().position(|one| *one == model).unwrap_or(0)
}
