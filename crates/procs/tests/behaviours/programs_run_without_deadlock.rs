//! Other programs get their input and give their output, whatever its size, and none is waited for in vain.

use std::time::{Duration, Instant};

use procs::{CommandError, command};

use crate::common::{Folder, LIMIT, eventually, is_running};

fn shell(script: &str) -> procs::Command {
    command("sh").args(["-c", script])
}

#[test]
fn input_and_both_outputs_move_at_the_same_time() {
    // Each pipe holds 64 KiB: whoever serves one after the other stands still here.
    let input = "0123456789abcde\n".repeat(100_000);
    let output = shell("tee /dev/stderr")
        .input(input.clone())
        .timeout(LIMIT)
        .run()
        .unwrap();
    assert!(output.status().success());
    assert!(output.stdout() == input.as_bytes() && output.stderr() == input.as_bytes());
}

#[test]
fn a_program_need_not_read_its_input() {
    let output = shell("exit 4")
        .input(vec![0; 1_000_000])
        .timeout(LIMIT)
        .run()
        .unwrap();
    assert_eq!(output.status().code(), Some(4));
    assert!(matches!(output.check(), Err(CommandError::Failed(_))));
    assert_eq!(command("cat").timeout(LIMIT).run().unwrap().stdout(), b"");
}

#[test]
fn a_program_that_takes_too_long_is_killed_with_its_children() {
    let folder = Folder::new();
    let (pids, script) = (
        folder.path("pids"),
        "sleep 1000 & echo $! > \"$PIDS\"; echo begun; wait",
    );
    let error = shell(script)
        .env("PIDS", &pids)
        .timeout(Duration::from_millis(500))
        .run()
        .unwrap_err();
    let CommandError::TimedOut(output) = error else {
        panic!("{error}")
    };
    assert_eq!(output.text(), "begun\n");
    assert_eq!(output.status().signal(), Some(9));
    let child = std::fs::read_to_string(pids)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    eventually("the child of the program is gone", || !is_running(child));
}

#[test]
fn what_a_program_leaves_behind_is_not_waited_for() {
    let start = Instant::now();
    let output = shell("sleep 1000 & echo $!").run().unwrap();
    assert!(start.elapsed() < LIMIT);
    crate::common::signal(output.text().trim().parse().unwrap(), "KILL");
}

#[test]
fn lines_come_one_by_one() {
    let mut lines = Vec::new();
    let script = "for i in 1 2 3; do echo line $i; done; printf end; echo oops >&2";
    let output = shell(script)
        .run_lines(|line| lines.push(line.to_owned()))
        .unwrap();
    assert_eq!(lines, ["line 1", "line 2", "line 3", "end"]);
    assert_eq!(
        (output.stdout(), output.stderr()),
        (&b""[..], &b"oops\n"[..])
    );
}

#[test]
fn what_does_not_exist_or_dies_is_told() {
    let error = command("/does/not/exist").run().unwrap_err();
    assert!(matches!(error, CommandError::System(_)) && error.to_string().contains("No such file"));
    let output = shell("kill -SEGV $$").run().unwrap();
    assert_eq!(output.status().signal(), Some(11));
    assert!(output.check().unwrap_err().to_string().contains("SIGSEGV"));
}
