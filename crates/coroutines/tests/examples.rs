//! Every example prints what its header says.

mod common;

use common::{example, promised};

#[test]
fn generator_interleave_takes_turns() {
    assert_eq!(example("generator_interleave"), "0\na\n1\nb\n2\nc\n");
    assert_eq!(promised("generator_interleave"), "0\na\n1\nb\n2\nc\n");
}

#[test]
fn consumer_replies_to_each_number() {
    let lines = |n| {
        format!(
            "[PRODUCER] Producing {n}...\n[CONSUMER] Consuming {n}...\n[PRODUCER] Consumer return: 200 OK\n"
        )
    };
    assert_eq!(example("consumer"), (1..=5).map(lines).collect::<String>());
    assert_eq!(promised("consumer"), example("consumer"));
}

#[test]
fn state_machine_gives_equal_sequences() {
    let out = example("state_machine");
    assert!(out.ends_with("equal: true\n"), "{out}");
    assert_eq!(out, promised("state_machine"));
}
