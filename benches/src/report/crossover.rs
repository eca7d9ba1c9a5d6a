//! The crossover map as text and as SVG; both say the same of a cell.

use super::svg::{Svg, escape};
use super::units::{self, figure};
use crate::Model;
use crate::map::{Cell, Map, Standing};

const CELL: (f64, f64) = (104.0, 62.0);
const LEFT: f64 = 74.0;
const TOP: f64 = 22.0;
/// Room for the legend, and the length of its lines in characters.
const LEGEND: f64 = 96.0;
const LEGEND_COLUMNS: usize = 58;

/// What the signs in the cells mean.
const SIGNS: [&str; 2] = [
    "×2: ahead of all others, with twice as many tasks a second as the next model",
    "=: level with others, within a tenth or within the noise; the simplest of them is named",
];

/// The map for a terminal of this many columns: as a grid if it fits, else as a list.
pub fn text(map: &Map, width: Option<usize>) -> String {
    let grid = grid(map);
    let widest = grid.lines().map(|line| line.chars().count()).max();
    let body = if widest <= width.or(widest) {
        grid
    } else {
        list(map)
    };
    let mut text = format!(
        "the crossover map: tasks of {} ms, who wins by how much they compute and how many are in flight; {}\n{body}",
        map.task_ms,
        certainty(map)
    );
    for sign in SIGNS {
        text += &format!("  {sign}\n");
    }
    text
}

/// How often each model was measured, and what follows.
pub fn certainty(map: &Map) -> String {
    match map.runs {
        1 => "one run of each model a cell, which is a first impression".into(),
        runs => format!("the median of {runs} runs or more of each model a cell"),
    }
}

fn grid(map: &Map) -> String {
    let column = |nth: usize| {
        let cells = map.lines().map(move |line| words(&line[nth]));
        cells.map(|words| words.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..map.at_once.len())
        .map(|nth| column(nth).max(12))
        .collect();
    let mut lines = vec![format!("{:>11}", "computing")];
    for (at_once, width) in map.at_once.iter().zip(&widths) {
        lines[0] += &format!("  {:<width$}", format!("{at_once} at once"));
    }
    for (percent, cells) in map.cpu_percent.iter().zip(map.lines()) {
        let mut line = format!("{percent:>9} %");
        for (cell, width) in cells.iter().zip(&widths) {
            line += &format!("  {:<width$}", words(cell));
        }
        lines.push(line);
    }
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    trimmed.join("\n") + "\n"
}

fn list(map: &Map) -> String {
    let mut text = String::new();
    for (percent, cells) in map.cpu_percent.iter().zip(map.lines()) {
        text += &format!("  {percent} % computing\n");
        for cell in cells {
            text += &format!("{:>8} at once  {}\n", cell.concurrency, words(cell));
        }
    }
    text
}

/// The winner and its lead, or those who are level.
fn words(cell: &Cell) -> String {
    let (first, second) = lines(cell);
    format!("{first} {second}").trim_end().to_owned()
}

/// The same in two lines.
fn lines(cell: &Cell) -> (String, String) {
    match cell.standing() {
        Standing::Nobody => ("nobody".into(), String::new()),
        Standing::Wins(model, lead) => (model.to_string(), format!("×{}", figure(lead))),
        Standing::Level(model, others) => match &others[..] {
            [other] => (model.to_string(), format!("= {other}")),
            _ => (model.to_string(), format!("= {} others", others.len())),
        },
    }
}

/// The map for the page: a cell's colour is that of the model that it names, paler where others are level.
pub fn svg(map: &Map) -> String {
    let width = LEFT + CELL.0 * map.at_once.len() as f64;
    let bottom = TOP + CELL.1 * map.cpu_percent.len() as f64;
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
            top + CELL.1 / 2.0
        );
        for (column, cell) in line.iter().enumerate() {
            drawn += &draw(cell, LEFT + CELL.0 * column as f64, top);
        }
    }
    drawn += &legend(map, bottom);
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
    let picture = Svg {
        class: "map",
        id: "map-picture",
        width,
        height: bottom + LEGEND,
        title: "The crossover map: which model wins, by how much tasks compute and how many are in flight",
        description: &format!("{}. {}.", spoken.join("; "), SIGNS.join("; ")),
        drawn: &drawn,
    };
    picture.to_string()
}

fn legend(map: &Map, top: f64) -> String {
    let line = |nth: f64, text: &str| {
        let y = top + 18.0 + 15.0 * nth;
        format!("<text class=\"figure\" x=\"4\" y=\"{y}\">{text}</text>")
    };
    let [wins, level] = SIGNS;
    let text = format!("{wins}\n{level} (paler)\n{}", certainty(map));
    let lines = units::wrapped(&text, Some(LEGEND_COLUMNS));
    (0_u8..)
        .zip(lines.lines())
        .map(|(nth, text)| line(nth.into(), text.trim_start()))
        .collect()
}

fn draw(cell: &Cell, x: f64, top: f64) -> String {
    let standing = cell.standing();
    let model = match &standing {
        Standing::Nobody => return String::new(),
        Standing::Wins(model, _) | Standing::Level(model, _) => *model,
    };
    let class = match standing {
        Standing::Level(..) => " level",
        _ => "",
    };
    let ranking: Vec<String> = cell
        .ranking
        .iter()
        .map(|rank| {
            let (rate, spread) = (figure(rank.tasks_per_s), 100.0 * rank.spread);
            format!("{}: {rate} tasks/s, runs {spread:.0} % apart", rank.model)
        })
        .collect();
    let (first, second) = lines(cell);
    let middle = x + CELL.0 / 2.0;
    let text = |nth: f64, weight: u16, text: &str| {
        let y = top + 20.0 + 14.0 * nth;
        format!(
            "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" font-weight=\"{weight}\">{text}</text>"
        )
    };
    // A name with two words to it has two lines, so that the map fits a phone.
    let words = match first.split_once("-per-") {
        Some((what, each)) => {
            text(0.0, 600, what)
                + &text(1.0, 600, &format!("per {each}"))
                + &text(2.0, 400, &short(&second))
        }
        None => text(0.5, 600, &first) + &text(1.5, 400, &short(&second)),
    };
    format!(
        "<g><title>{}</title><rect class=\"model-{}{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\"/>\
         {words}</g>",
        escape(&ranking.join("\n")),
        place(model),
        x + 1.5,
        top + 1.5,
        CELL.0 - 3.0,
        CELL.1 - 3.0,
    )
}

/// A note that fits a cell: where one other model is level, that there is one.
fn short(note: &str) -> String {
    if note.chars().count() > 14 {
        "= 1 other".into()
    } else {
        note.to_owned()
    }
}

/// The model's number, which the page's style gives a colour.
pub fn place(model: Model) -> usize {
    Model::ALL.iter().position(|one| *one == model).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{svg, text};
    use crate::Model;
    use crate::map::{Cell, Map, Rank};

    fn map() -> Map {
        let rank = |model, tasks_per_s, spread| Rank {
            model,
            tasks_per_s,
            spread,
            runs: 3,
        };
        let cell = |concurrency, ranking| Cell {
            cpu_percent: 5,
            concurrency,
            ranking,
        };
        let (first, last) = (Model::EventLoopPerCore, Model::Serial);
        Map {
            task_ms: 2.0,
            runs: 3,
            cpu_percent: vec![5],
            at_once: vec![1, 2, 3, 4],
            cells: vec![
                cell(1, vec![rank(first, 200.0, 0.1), rank(last, 100.0, 0.1)]),
                cell(2, vec![rank(first, 120.0, 0.5), rank(last, 100.0, 0.1)]),
                cell(3, vec![rank(first, 105.0, 0.1), rank(last, 100.0, 0.1)]),
                cell(4, vec![]),
            ],
        }
    }

    #[test]
    fn the_text_and_the_picture_say_the_same() {
        let (text, svg) = (text(&map(), None), svg(&map()));
        for (first, second) in [
            ("event-loop-per-core", "×2.00"),
            ("serial", "= event-loop-per-core"),
        ] {
            let words = format!("{first} {second}");
            assert!(text.contains(&words), "{words} in {text}");
            let drawn = super::short(second);
            assert!(svg.contains(&format!(">{drawn}</text>")), "{second}");
            assert!(svg.contains(&format!("at once: {words}")), "{words}");
        }
        assert!(text.contains("  nobody") && svg.contains("at once: nobody"));
        assert!(text.contains("median of 3 runs or more") && svg.contains("median of 3 runs"));
    }

    #[test]
    fn a_narrow_terminal_has_a_list() {
        let (wide, narrow) = (text(&map(), Some(140)), text(&map(), Some(60)));
        assert!(wide.contains("1 at once") && !wide.contains("5 % computing"));
        assert!(narrow.contains("5 % computing\n       1 at once  event-loop-per-core"));
    }
}
