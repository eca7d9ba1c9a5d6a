//! Rows as text, which is Markdown as well.

use std::fmt;

use super::{Row, Spread, Target};

/// A table of rows, to be displayed: medians, and ratios with their spread.
pub struct Table<'a>(pub &'a [Row]);

const HEAD: [&str; 8] = [
    "crate", "case", "ours", "peer", "theirs", "ratio", "target", "met",
];

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<[String; 8]> = self.0.iter().map(cells).collect();
        let mut widths = HEAD.map(str::len);
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        write_line(f, &HEAD.map(str::to_owned), &widths)?;
        write_line(f, &widths.map(|width| "-".repeat(width)), &widths)?;
        lines
            .iter()
            .try_for_each(|line| write_line(f, line, &widths))
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, cells: &[String; 8], widths: &[usize]) -> fmt::Result {
    for (cell, width) in cells.iter().zip(widths) {
        write!(f, "| {cell:<width$} ")?;
    }
    writeln!(f, "|")
}

fn cells(row: &Row) -> [String; 8] {
    let figure = |spread: Spread| row.unit.write(spread.median);
    let peer = row.peer.as_ref().map(|(name, _)| name.clone());
    let target = match row.target {
        Target::Ratio(most) => format!("≤ {}", ratio(most)),
        Target::Stretch(most) => format!("≤ {} (stretch)", ratio(most)),
        Target::Absolute(most) => format!("≤ {most} {}", row.unit),
        Target::None => String::new(),
    };
    let met = match row.met() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    [
        row.crate_name.to_owned(),
        row.case.clone(),
        figure(row.ours),
        peer.unwrap_or_default(),
        row.theirs().map(figure).unwrap_or_default(),
        row.ratios.map(ratios).unwrap_or_default(),
        target,
        met.to_owned(),
    ]
}

/// The middle one, and from where to where the rounds went.
fn ratios(spread: Spread) -> String {
    let Spread { min, median, max } = spread;
    match ratio(min) == ratio(max) {
        true => ratio(median),
        false => format!("{} ({}..{})", ratio(median), ratio(min), ratio(max)),
    }
}

/// As a decimal, or as one over a number when that says more.
fn ratio(ratio: f64) -> String {
    if ratio >= 0.2 {
        return format!("{ratio:.2}");
    }
    let over = 1.0 / ratio;
    let places = usize::from(over < 10.0 && over.fract() > 0.05);
    format!("1/{over:.places$}")
}
