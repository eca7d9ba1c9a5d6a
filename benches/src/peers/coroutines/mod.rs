//! `coroutines` against genawaiter, corosensei, async-stream, a loop written by hand and CPython.

mod cases;

pub use self::cases::{ALL, Case};

use std::hint::black_box;
use std::time::Instant;

use super::{Contest, Row, Target, Unit, allocations, python};

/// One line: ours against a peer.
struct Pair {
    what: &'static str,
    ours: Case,
    peer: &'static str,
    theirs: Case,
    /// Ours over theirs, at most.
    target: f64,
    /// Items in one measurement.
    items: u64,
}

const PAIRS: &[Pair] = &[
    pair(
        "inlined",
        cases::inlined,
        "hand-written iterator",
        cases::hand_written,
        1.05,
        8_000_000,
    ),
    pair(
        "inlined",
        cases::inlined,
        "genawaiter (stack)",
        cases::genawaiter_stack,
        0.25,
        2_000_000,
    ),
    pair(
        "inlined",
        cases::inlined,
        "corosensei",
        cases::corosensei_resume,
        0.25,
        2_000_000,
    ),
    pair(
        "boxed resume",
        cases::boxed_resume,
        "corosensei",
        cases::corosensei_resume,
        1.0,
        1_000_000,
    ),
    pair(
        "create + 10 yields, boxed",
        cases::create_boxed,
        "genawaiter (rc)",
        cases::create_genawaiter,
        1.2,
        1_000_000,
    ),
    pair(
        "create + 10 yields, pinned",
        cases::create_pinned,
        "genawaiter (rc)",
        cases::create_genawaiter,
        0.25,
        1_000_000,
    ),
    pair(
        "recursion, 16 deep",
        |n| cases::recursion(16, n),
        "4 deep",
        |n| cases::recursion(4, n),
        1.1,
        2_000_000,
    ),
    pair(
        "recursion, 1000 deep",
        |n| cases::recursion(1000, n),
        "4 deep",
        |n| cases::recursion(4, n),
        1.1,
        2_000_000,
    ),
    pair(
        "two in turn, interleave! by next",
        cases::round_robin_interleave,
        "corosensei",
        cases::round_robin_corosensei,
        0.5,
        2_000_000,
    ),
    pair(
        "two in turn, interleave! by fold",
        cases::round_robin_fold,
        "corosensei",
        cases::round_robin_corosensei,
        0.5,
        2_000_000,
    ),
    pair(
        "two in turn, Scheduler",
        cases::round_robin_scheduler,
        "corosensei",
        cases::round_robin_corosensei,
        1.5,
        1_000_000,
    ),
    pair(
        "async generator, inlined",
        cases::async_ours,
        "async-stream",
        cases::async_stream,
        0.5,
        1_000_000,
    ),
    pair(
        "async generator, boxed",
        cases::async_ours_boxed,
        "async-stream",
        cases::async_stream_boxed,
        0.5,
        1_000_000,
    ),
];

const fn pair(
    what: &'static str,
    ours: Case,
    peer: &'static str,
    theirs: Case,
    target: f64,
    items: u64,
) -> Pair {
    Pair {
        what,
        ours,
        peer,
        theirs,
        target,
        items,
    }
}

/// Targets in nanoseconds an item: what, the case, at most.
const ABSOLUTE: &[(&str, Case, f64)] = &[
    ("boxed fill, 256 at a time", cases::boxed_fill, 0.8),
    ("recursion, 4 deep", |n| cases::recursion(4, n), 12.0),
    ("recursion, 16 deep", |n| cases::recursion(16, n), 12.0),
    ("recursion, 1000 deep", |n| cases::recursion(1000, n), 12.0),
];

/// Against CPython: what, ours, the script's name for theirs, the target.
const PYTHON: &[(&str, Case, &str, Target)] = &[
    (
        "inlined",
        cases::inlined,
        "iterate",
        Target::Ratio(1.0 / 80.0),
    ),
    ("boxed resume", cases::boxed_resume, "resume", Target::None),
    (
        "create + 10 yields, boxed",
        cases::create_boxed,
        "create",
        Target::None,
    ),
    (
        "recursion, 4 deep",
        |n| cases::recursion(4, n),
        "depth4",
        Target::None,
    ),
    (
        "recursion, 16 deep",
        |n| cases::recursion(16, n),
        "depth16",
        Target::None,
    ),
    (
        "recursion, 1000 deep",
        |n| cases::recursion(1000, n),
        "depth1000",
        Target::None,
    ),
    (
        "two in turn, Scheduler",
        cases::round_robin_scheduler,
        "round_robin",
        Target::None,
    ),
    ("async generator", cases::async_ours, "async", Target::None),
];

/// Every row: against the peers, in nanoseconds an item, and against CPython.
#[must_use]
pub fn rows(rounds: usize) -> Vec<Row> {
    let mut rows = against_peers(rounds);
    rows.extend(absolute(rounds));
    rows.extend(against_python(rounds));
    rows
}

fn against_peers(rounds: usize) -> Vec<Row> {
    let contest = |pair: &'static Pair| {
        Contest::new("coroutines", pair.what)
            .entrant("ours", || time(pair.ours, pair.items))
            .entrant(pair.peer, || time(pair.theirs, pair.items))
            .goal(
                "ours",
                std::slice::from_ref(&pair.peer),
                Target::Ratio(pair.target),
            )
            .run(rounds)
    };
    PAIRS.iter().flat_map(contest).collect()
}

fn absolute(rounds: usize) -> Vec<Row> {
    let contest = |&(what, case, most): &(&'static str, Case, f64)| {
        Contest::new("coroutines", what)
            .entrant("ours", || time(case, 4_000_000))
            .goal("ours", &[], Target::Absolute(most))
            .run(rounds)
    };
    let mut rows: Vec<Row> = ABSOLUTE.iter().flat_map(contest).collect();
    let pinned = || {
        black_box(cases::create_pinned(black_box(1000)));
    };
    rows.extend(
        Contest::new("coroutines", "100 pinned generators")
            .unit(Unit::Allocations)
            .entrant("ours", || allocations(pinned) as f64)
            .goal("ours", &[], Target::Absolute(0.0))
            .run(1),
    );
    rows
}

fn against_python(rounds: usize) -> Vec<Row> {
    let Some(figures) = python::figures("coroutines.py", &[]) else {
        return Vec::new();
    };
    let contest = |&(what, case, name, target): &(&'static str, Case, &str, Target)| {
        Contest::new("coroutines", what)
            .entrant("ours", || time(case, 500_000))
            .fixed("CPython", figures.get(name).copied())
            .goal("ours", &["CPython"], target)
            .run(rounds)
    };
    PYTHON.iter().flat_map(contest).collect()
}

/// Nanoseconds an item: the best of a few slices, since a slice in which another program ran says nothing about ours.
fn time(case: Case, items: u64) -> f64 {
    const SLICES: u64 = 5;
    let slice = || {
        let start = Instant::now();
        black_box(case(black_box(items / SLICES)));
        start.elapsed().as_nanos() as f64 / (items / SLICES) as f64
    };
    (0..SLICES).map(|_| slice()).fold(f64::INFINITY, f64::min)
}
