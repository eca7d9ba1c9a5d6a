//! Every example runs, ends well, and prints what its header says.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs an example, which cargo has built beside this test, and returns its lines and its process id.
fn run(name: &str) -> (Vec<String>, String) {
    let mut path: PathBuf = std::env::current_exe().expect("this test has a file");
    path.pop();
    path.pop();
    let child = Command::new(path.join("examples").join(name))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the example starts");
    let pid = child.id().to_string();
    let Output { status, stdout, .. } = child.wait_with_output().expect("the example ends");
    assert!(status.success(), "{name} ended with {status}");
    let text = String::from_utf8(stdout).expect("it prints text");
    (text.lines().map(str::to_owned).collect(), pid)
}

/// What stands between the last parentheses of a line.
fn pid_in(line: &str) -> &str {
    let (_, rest) = line.rsplit_once('(').expect("an opening parenthesis");
    rest.split_once(')').expect("a closing parenthesis").0
}

#[test]
fn fork() {
    let (lines, parent) = run("fork");
    assert_eq!(lines[0], format!("Process ({parent}) start..."));
    let child_line = lines
        .iter()
        .find(|line| line.starts_with("I am child"))
        .expect("the child speaks");
    let child = child_line
        .split(['(', ')'])
        .nth(1)
        .expect("its pid")
        .to_owned();
    assert_eq!(
        *child_line,
        format!("I am child process ({child}) and my parent is {parent}.")
    );
    assert!(lines.contains(&format!(
        "I ({parent}) just created a child process ({child})."
    )));
    assert_eq!(lines.len(), 3);
}

#[test]
fn process_hello() {
    let (lines, parent) = run("process_hello");
    assert_eq!(lines[0], format!("Parent process {parent}."));
    assert_eq!(lines[1], "Child process will start.");
    assert!(lines[2].starts_with("Run child process test ("));
    assert_ne!(pid_in(&lines[2]), parent);
    assert_eq!(lines[3], "Child process end.");
}

#[test]
fn process_info() {
    let (lines, main) = run("process_info");
    assert_eq!(
        (lines[0].as_str(), lines[4].as_str(), lines[8].as_str()),
        ("main line", "function f", "hello bob")
    );
    assert_eq!(lines[3], format!("process id: {main}"));
    assert_eq!(lines[6], format!("parent process: {main}"));
    assert_ne!(lines[7], lines[3]);
}

#[test]
fn process_pool() {
    let (lines, _) = run("process_pool");
    let workers: usize = lines[0]
        .split(' ')
        .rev()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("the number of workers");
    let waiting = lines
        .iter()
        .position(|line| line == "Waiting for all subprocesses done...");
    assert!(waiting.is_some());
    assert_eq!(
        lines.last().map(String::as_str),
        Some("All subprocesses done.")
    );
    let runs: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("Run task"))
        .collect();
    let pids: HashSet<_> = runs.iter().map(|line| pid_in(line)).collect();
    assert_eq!(runs.len(), 5);
    assert!(pids.len() <= workers);
    for name in 0..5 {
        assert!(
            runs.iter()
                .any(|line| line.starts_with(&format!("Run task {name} (")))
        );
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(&format!("Task {name} runs ")))
        );
    }
}

#[test]
fn process_interleave() {
    let (lines, _) = run("process_interleave");
    let numbers: Vec<_> = lines
        .iter()
        .filter(|line| line.parse::<u32>().is_ok())
        .collect();
    let letters: Vec<_> = lines
        .iter()
        .filter(|line| line.parse::<u32>().is_err())
        .collect();
    assert_eq!(numbers, ["0", "1", "2"]);
    assert_eq!(letters, ["a", "b", "c"]);
}

#[test]
fn process_master_worker() {
    let (lines, _) = run("process_master_worker");
    let deaths = lines
        .iter()
        .filter(|line| line.contains("died") && line.contains("signal 9"))
        .count();
    assert_eq!(deaths, 1);
    let results: BTreeSet<_> = lines
        .iter()
        .filter(|line| line.contains(": ") && line.starts_with("Task"))
        .collect();
    let expected: Vec<_> = (0..10).map(|n| format!("Task {n}: {}", n * n)).collect();
    assert_eq!(results, expected.iter().collect());
}

#[test]
fn run_program() {
    let (lines, _) = run("run_program");
    assert_eq!(
        lines,
        ["$ sort", "apple", "banana", "cherry", "Exit code: 0"]
    );
}

#[test]
fn process_pipe() {
    let (lines, parent) = run("process_pipe");
    assert_eq!(lines[0], "Parent asks: how long is \"a piece of string\"?");
    assert!(lines[1].ends_with(" was asked: a piece of string"));
    assert_ne!(pid_in(&lines[1]), parent);
    assert_eq!(lines[2..], ["Parent hears: 17"]);
}

#[test]
fn process_queue() {
    let (lines, _) = run("process_queue");
    let said = |start: &str| -> Vec<_> {
        let said = lines.iter().filter(|line| line.starts_with(start));
        said.map(String::as_str).collect()
    };
    assert_eq!(
        said("Put "),
        ["A", "B", "C"].map(|value| format!("Put {value} to queue..."))
    );
    assert_eq!(
        said("Get "),
        ["A", "B", "C"].map(|value| format!("Get {value} from queue."))
    );
    assert_eq!((said("Process to ").len(), lines.len()), (2, 8));
}

#[test]
fn fork_server() {
    let (lines, server) = run("fork_server");
    let pids: HashSet<_> = (1..)
        .zip(&lines)
        .map(|(request, line)| {
            let start = format!("Request {request}: served by process ");
            line.strip_prefix(&start).expect("an answer")
        })
        .collect();
    assert_eq!((lines.len(), pids.len()), (3, 3));
    assert!(!pids.contains(server.as_str()));
}

#[test]
fn process_manager() {
    let (lines, _) = run("process_manager");
    assert_eq!(lines, ["be: 2", "not: 1", "or: 1", "to: 2"]);
}

#[test]
fn process_lock() {
    let (lines, _) = run("process_lock");
    assert_eq!(
        lines,
        [
            "Repaired after a death: \"half a li\"",
            "line 1",
            "line 2",
            "line 3"
        ]
    );
}
