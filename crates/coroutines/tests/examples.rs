//! Every example prints what its header says, and what its tutorial says.

mod common;

use common::{example, promised};

/// What `name` prints, once it is seen to be what the header promises.
fn output(name: &str) -> String {
    let out = example(name);
    assert_eq!(
        out,
        promised(name),
        "{name} prints something else than its header says"
    );
    out
}

#[test]
fn generator_interleave_takes_turns() {
    assert_eq!(output("generator_interleave"), "0\na\n1\nb\n2\nc\n");
}

#[test]
fn subroutines_leaves_a_in_the_middle() {
    assert_eq!(output("subroutines"), "1\n2\nx\ny\n3\nz\n");
}

#[test]
fn consumer_replies_to_each_number() {
    let lines = |n| {
        format!(
            "[PRODUCER] Producing {n}...\n[CONSUMER] Consuming {n}...\n[PRODUCER] Consumer return: 200 OK\n"
        )
    };
    assert_eq!(output("consumer"), (1..=5).map(lines).collect::<String>());
}

#[test]
fn generator_for_loop_ends_with_the_returned_value() {
    let out = output("generator_for_loop");
    assert!(
        out.starts_with("for: 1 1 2 3 5 8\nreturned: 6 numbers\n"),
        "{out}"
    );
}

#[test]
fn delegate_brings_the_inner_results_back() {
    let out = output("delegate");
    assert!(
        out.contains("girls: 3 numbers, average 20\n")
            && out.contains("boys: 2 numbers, average 6\n"),
        "{out}"
    );
}

#[test]
fn throw_close_handles_the_error_and_cleans_up_once() {
    let out = output("throw_close");
    assert!(out.contains("the sensor is wet"), "{out}");
    assert_eq!(out.lines().filter(|line| *line == "cleaned up").count(), 1);
}

#[test]
fn state_machine_gives_equal_sequences() {
    assert!(output("state_machine").ends_with("equal: true\n"));
}

#[test]
fn event_loop_by_hand_sleeps_once() {
    output("event_loop_by_hand");
}
