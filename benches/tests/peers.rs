//! Rows of our crates against their peers: who counts, what is met, and how it is written down.

use std::cell::Cell;

use benches::peers::{Contest, Row, Table, Target, Unit};

fn contest() -> Contest<'static> {
    Contest::new("threads", "a turn")
        .entrant("ours", || 8.0)
        .entrant("slow", || 16.0)
        .entrant("fast", || 10.0)
}

#[test]
fn the_fastest_peer_counts() {
    let rows = contest()
        .goal("ours", &["slow", "fast"], Target::Ratio(0.7))
        .run(3);
    assert_eq!(rows[0].peer.as_ref().expect("a peer").0, "fast");
    assert_eq!(rows[0].ratio(), Some(0.8));
    assert_eq!(rows[0].met(), Some(false));
    assert!(rows[0].falls_short());
}

#[test]
fn entrants_take_turns_and_medians_count() {
    let (ours, theirs) = (Cell::new(0.0_f64), Cell::new(0.0));
    let rows = Contest::new("aio", "in turn")
        .entrant("ours", || {
            ours.set(ours.get() + 1.0);
            assert!((ours.get() - theirs.get()).abs() <= 1.0, "in turn");
            ours.get()
        })
        .entrant("peer", || {
            theirs.set(theirs.get() + 1.0);
            assert!((ours.get() - theirs.get()).abs() <= 1.0, "in turn");
            // One noisy round.
            if theirs.get() == 1.0 { 1e9 } else { 4.0 }
        })
        .goal("ours", &["peer"], Target::Ratio(1.0))
        .run(5);
    assert_eq!((rows[0].ours.min, rows[0].ours.max), (1.0, 5.0));
    assert_eq!(rows[0].ratio(), Some(0.75));
}

#[test]
fn what_slows_a_whole_round_down_makes_no_difference() {
    let slower = |mut round: usize, figure: f64| {
        move || {
            round += 1;
            figure * [1.0, 9.0, 3.0][round % 3]
        }
    };
    let rows = Contest::new("aio", "beside somebody else's work")
        .entrant("ours", slower(0, 2.0))
        .entrant("peer", slower(0, 4.0))
        .goal("ours", &["peer"], Target::Ratio(0.5))
        .run(3);
    let ratios = rows[0].ratios.expect("a peer");
    assert_eq!((ratios.min, ratios.median, ratios.max), (0.5, 0.5, 0.5));
    assert_eq!(rows[0].met(), Some(true));
}

#[test]
fn a_peer_that_is_not_here_gives_no_row() {
    let rows = contest()
        .fixed("CPython", None)
        .goal("ours", &["CPython"], Target::Ratio(0.1))
        .run(1);
    assert!(rows.is_empty());
}

#[test]
fn a_missed_stretch_is_no_failure() {
    let rows = contest()
        .goal("ours", &["fast"], Target::Stretch(0.5))
        .run(1);
    assert_eq!(rows[0].met(), Some(false));
    assert!(!rows[0].falls_short());
}

fn bytes() -> Row {
    let rows = Contest::new("aio", "a sleeping task")
        .unit(Unit::Bytes)
        .entrant("ours", || 200.0)
        .goal("ours", &[], Target::Absolute(200.0))
        .run(1);
    rows.into_iter().next().expect("a row")
}

#[test]
fn json_has_the_agreed_fields() {
    let row = contest().goal("ours", &["fast"], Target::Ratio(0.9)).run(1);
    let json = serde_json::to_value(&row[0]).expect("JSON");
    let expected = serde_json::json!({
        "crate": "threads", "case": "a turn", "ours_ns": 8.0, "peer": "fast", "peer_ns": 10.0,
        "ratio": 0.8, "target": 0.9, "met": true,
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&json[field], value, "{field}");
    }
    let json = serde_json::to_value(bytes()).expect("JSON");
    assert!(json["ours_ns"].is_null(), "bytes are no nanoseconds");
    assert_eq!(json["ours"]["median"], 200.0);
}

#[test]
fn the_table_says_what_was_measured_and_asked() {
    let mut rows = contest()
        .goal("ours", &["slow"], Target::Ratio(1.0 / 25.0))
        .run(1);
    rows.push(bytes());
    let table = Table(&rows).to_string();
    let cells = |line: usize| -> Vec<String> {
        let line = table.lines().nth(line).expect("a line");
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let expected = [
        "", "threads", "a turn", "8.00 ns", "slow", "16.0 ns", "0.50", "≤ 1/25", "no", "",
    ];
    assert_eq!(cells(2), expected);
    let expected = [
        "",
        "aio",
        "a sleeping task",
        "200 B",
        "",
        "",
        "",
        "≤ 200 B",
        "yes",
        "",
    ];
    assert_eq!(cells(3), expected);
}
