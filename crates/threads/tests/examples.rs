//! Each example runs to its end and prints what its header says.

use std::process::Command;

/// Runs an example that cargo built beside this test, and returns its lines.
fn run(name: &str) -> Vec<String> {
    let test = std::env::current_exe().expect("the test's own path");
    let profile = test.ancestors().nth(2).expect("target/PROFILE");
    let path = profile.join("examples").join(name);
    let output = Command::new(&path)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(output.status.success(), "{name}: {output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// The lines that satisfy `keep`, in order.
fn only(lines: &[String], keep: impl Fn(&str) -> bool) -> Vec<&str> {
    lines
        .iter()
        .map(String::as_str)
        .filter(|line| keep(line))
        .collect()
}

#[test]
fn thread_hello() {
    let mut expected = vec![
        "thread MainThread is running...".to_owned(),
        "thread LoopThread is running...".to_owned(),
    ];
    expected.extend((1..=5).map(|n| format!("thread LoopThread >>> {n}")));
    expected.push("thread LoopThread ended.".to_owned());
    expected.push("thread MainThread ended.".to_owned());
    assert_eq!(run("thread_hello"), expected);
}

#[test]
fn lock_balance() {
    assert_eq!(run("lock_balance"), ["0"]);
}

#[test]
fn lost_update() {
    let lines = run("lost_update");
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("without a lock "), "{lines:?}");
    assert!(
        lines[0].ends_with(" of 200000 updates were lost"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "with a lock 0 of 200000 updates were lost");
}

#[test]
fn thread_queue() {
    let lines = run("thread_queue");
    assert_eq!(
        only(&lines, |line| line.starts_with("Put")),
        [
            "Put A to queue...",
            "Put B to queue...",
            "Put C to queue..."
        ]
    );
    assert_eq!(
        only(&lines, |line| line.starts_with("Get")),
        [
            "Get A from queue.",
            "Get B from queue.",
            "Get C from queue."
        ]
    );
    assert_eq!(lines[6..], ["The queue is shut down."]);
}

#[test]
fn thread_master_worker() {
    let mut lines = run("thread_master_worker");
    assert_eq!(lines.pop().as_deref(), Some("all done: 285"));
    let mut results: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once(": ").map(|(_, result)| result.to_owned()))
        .collect();
    results.sort();
    let expected: Vec<_> = (0..10).map(|n| format!("{n} * {n} = {}", n * n)).collect();
    assert_eq!(results, expected);
}

#[test]
fn thread_interleave() {
    let lines = run("thread_interleave");
    assert_eq!(lines.len(), 6);
    let is_digit = |line: &str| line.chars().all(|c| c.is_ascii_digit());
    assert_eq!(only(&lines, is_digit), ["0", "1", "2"]);
    assert_eq!(only(&lines, |line| !is_digit(line)), ["a", "b", "c"]);
}

#[test]
fn no_gil() {
    let lines = run("no_gil");
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("1 thread: "), "{lines:?}");
    assert!(lines[1].ends_with(" times as fast"), "{lines:?}");
    assert!(lines[2].contains("GIL"), "{lines:?}");
}

#[test]
fn thread_run_trait() {
    let says = "thread Greeter says: hello bob";
    assert_eq!(run("thread_run_trait"), [says, says, "said 2 times"]);
}

#[test]
fn timer_event() {
    assert_eq!(
        run("timer_event"),
        [
            "timer: rang after 20 ms",
            "event: set by the timer",
            "condition: saw 3 items",
            "barrier: 2 threads met",
            "semaphore: 2 permits of 3 left",
        ]
    );
}
