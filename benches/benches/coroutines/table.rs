//! The targets of `coroutines`, each a ratio against a named peer, measured in alternation in one run.

use crate::{allocations, cases, python};
use std::hint::black_box;
use std::time::Instant;

/// Alternating rounds; the median counts.
const ROUNDS: usize = 15;

/// One line: ours against a peer.
struct Row {
    what: &'static str,
    ours: cases::Case,
    peer: &'static str,
    theirs: cases::Case,
    /// Ours over theirs, at most.
    target: f64,
    /// Items in one measurement.
    items: u64,
}

const ROWS: &[Row] = &[
    row(
        "inlined",
        cases::inlined,
        "hand-written iterator",
        cases::hand_written,
        1.05,
        8_000_000,
    ),
    row(
        "inlined",
        cases::inlined,
        "genawaiter (stack)",
        cases::genawaiter_stack,
        0.25,
        2_000_000,
    ),
    row(
        "inlined",
        cases::inlined,
        "corosensei",
        cases::corosensei_resume,
        0.25,
        2_000_000,
    ),
    row(
        "boxed resume",
        cases::boxed_resume,
        "corosensei",
        cases::corosensei_resume,
        1.0,
        1_000_000,
    ),
    row(
        "create + 10 yields, boxed",
        cases::create_boxed,
        "genawaiter (rc)",
        cases::create_genawaiter,
        1.2,
        1_000_000,
    ),
    row(
        "create + 10 yields, pinned",
        cases::create_pinned,
        "genawaiter (rc)",
        cases::create_genawaiter,
        0.25,
        1_000_000,
    ),
    row(
        "recursion, 16 deep",
        |n| cases::recursion(16, n),
        "4 deep",
        |n| cases::recursion(4, n),
        1.1,
        2_000_000,
    ),
    row(
        "recursion, 1000 deep",
        |n| cases::recursion(1000, n),
        "4 deep",
        |n| cases::recursion(4, n),
        1.1,
        2_000_000,
    ),
    row(
        "two in turn, interleave! by next",
        cases::round_robin_interleave,
        "corosensei",
        cases::round_robin_corosensei,
        0.5,
        2_000_000,
    ),
    row(
        "two in turn, interleave! by fold",
        cases::round_robin_fold,
        "corosensei",
        cases::round_robin_corosensei,
        0.5,
        2_000_000,
    ),
    row(
        "two in turn, Scheduler",
        cases::round_robin_scheduler,
        "corosensei",
        cases::round_robin_corosensei,
        1.5,
        1_000_000,
    ),
    row(
        "async generator, inlined",
        cases::async_ours,
        "async-stream",
        cases::async_stream,
        0.5,
        1_000_000,
    ),
    row(
        "async generator, boxed",
        cases::async_ours_boxed,
        "async-stream",
        cases::async_stream_boxed,
        0.5,
        1_000_000,
    ),
];

const fn row(
    what: &'static str,
    ours: cases::Case,
    peer: &'static str,
    theirs: cases::Case,
    target: f64,
    items: u64,
) -> Row {
    Row {
        what,
        ours,
        peer,
        theirs,
        target,
        items,
    }
}

/// Targets in nanoseconds an item: what, the case, at most.
const ABSOLUTE: &[(&str, cases::Case, f64)] = &[
    ("boxed fill, 256 at a time", cases::boxed_fill, 0.8),
    ("recursion, 4 deep", |n| cases::recursion(4, n), 12.0),
    ("recursion, 16 deep", |n| cases::recursion(16, n), 12.0),
    ("recursion, 1000 deep", |n| cases::recursion(1000, n), 12.0),
];

/// Against CPython: what, ours, the script's name for theirs, the target if there is one.
const PYTHON: &[(&str, cases::Case, &str, Option<f64>)] = &[
    ("inlined", cases::inlined, "iterate", Some(1.0 / 80.0)),
    ("boxed resume", cases::boxed_resume, "resume", None),
    (
        "create + 10 yields, boxed",
        cases::create_boxed,
        "create",
        None,
    ),
    (
        "recursion, 4 deep",
        |n| cases::recursion(4, n),
        "depth4",
        None,
    ),
    (
        "recursion, 16 deep",
        |n| cases::recursion(16, n),
        "depth16",
        None,
    ),
    (
        "recursion, 1000 deep",
        |n| cases::recursion(1000, n),
        "depth1000",
        None,
    ),
    (
        "two in turn, Scheduler",
        cases::round_robin_scheduler,
        "round_robin",
        None,
    ),
    ("async generator", cases::async_ours, "async", None),
];

/// Measures and prints everything.
pub fn print() {
    println!(
        "ns an item; ratio = ours / theirs, median of {ROUNDS} alternating rounds (min..max)\n"
    );
    println!("| case | ours | peer | theirs | ratio | target | met |");
    println!("|---|---|---|---|---|---|---|");
    for row in ROWS {
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|_| (time(row.ours, row.items), time(row.theirs, row.items)))
            .collect();
        let ratio = Spread::of(rounds.iter().map(|(ours, theirs)| ours / theirs));
        println!(
            "| {} | {:.2} | {} | {:.2} | {ratio} | ≤ {:.2} | {} |",
            row.what,
            Spread::of(rounds.iter().map(|round| round.0)).median,
            row.peer,
            Spread::of(rounds.iter().map(|round| round.1)).median,
            row.target,
            met(ratio.median <= row.target),
        );
    }
    absolute();
    against_python();
}

fn absolute() {
    println!("\n| case | ns an item | target | met |\n|---|---|---|---|");
    for (what, case, target) in ABSOLUTE {
        let spread = Spread::of((0..ROUNDS).map(|_| time(*case, 4_000_000)));
        println!(
            "| {what} | {spread} | ≤ {target} | {} |",
            met(spread.median <= *target)
        );
    }
    let count = allocations::count(|| {
        black_box(cases::create_pinned(black_box(1000)));
    });
    println!(
        "| allocations of 100 pinned generators | {count} | 0 | {} |",
        met(count == 0)
    );
}

fn against_python() {
    let Some(figures) = python::figures() else {
        println!("\nno python3 here: CPython's rows are left out");
        return;
    };
    println!("\n| case | ours | CPython | ratio | target | met |\n|---|---|---|---|---|---|");
    for (what, case, name, target) in PYTHON {
        let Some(theirs) = figures.get(*name) else {
            continue;
        };
        let ours = Spread::of((0..ROUNDS).map(|_| time(*case, 500_000))).median;
        let ratio = ours / theirs;
        let (limit, verdict) = match target {
            Some(target) => (format!("≤ 1/{:.0}", 1.0 / target), met(ratio <= *target)),
            None => ("".into(), ""),
        };
        println!(
            "| {what} | {ours:.2} | {theirs:.1} | 1/{:.0} | {limit} | {verdict} |",
            1.0 / ratio
        );
    }
}

fn met(yes: bool) -> &'static str {
    if yes { "yes" } else { "NO" }
}

/// Nanoseconds an item: the best of a few slices, since a slice in which another program ran says nothing about ours.
fn time(case: cases::Case, items: u64) -> f64 {
    const SLICES: u64 = 5;
    let slice = || {
        let start = Instant::now();
        black_box(case(black_box(items / SLICES)));
        start.elapsed().as_nanos() as f64 / (items / SLICES) as f64
    };
    (0..SLICES).map(|_| slice()).fold(f64::INFINITY, f64::min)
}

struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut all: Vec<_> = figures.collect();
        all.sort_by(f64::total_cmp);
        Self {
            min: all[0],
            median: all[all.len() / 2],
            max: all[all.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} ({:.2}..{:.2})", self.median, self.min, self.max)
    }
}
