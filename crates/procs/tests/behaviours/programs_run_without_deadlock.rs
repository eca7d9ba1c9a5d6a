//! Programs get their input and give their output, whatever its size, and no run waits without an end.

use std::fs;
use std::time::{Duration, Instant};

use procs::{CommandError, command};

use crate::common::{Folder, LIMIT, eventually, is_running};

fn shell(script: &str) -> procs::Command {
    command("sh").args(["-c", script])
}

/// The output inside the error of a program that exceeded its time limit.
fn timed_out(result: Result<procs::Output, CommandError>) -> procs::Output {
    match result {
        Err(CommandError::TimedOut(output)) => *output,
        other => panic!("expected TimedOut: {other:?}"),
    }
}

#[test]
fn input_and_both_outputs_move_at_the_same_time() {
    // Each pipe holds 64 KiB: serving one after the other would block here.
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
    let result = shell(script)
        .env("PIDS", &pids)
        .timeout(Duration::from_millis(500))
        .run();
    let output = timed_out(result);
    assert_eq!(output.text(), "begun\n");
    assert_eq!(output.status().signal(), Some(9));
    let child = fs::read_to_string(pids).unwrap().trim().parse().unwrap();
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
fn a_program_that_never_stops_writing_ends_at_its_time_limit() {
    let brief = Duration::from_millis(300);
    let output = timed_out(command("yes").timeout(brief).run());
    assert_eq!(output.status().signal(), Some(9));
    let mut count = 0_u64;
    let result = command("yes").timeout(brief).run_lines(|line| {
        assert_eq!(line, "y");
        count += 1;
    });
    // What was read but not handed over is in the error.
    assert!(timed_out(result).text().lines().all(|line| line == "y"));
    assert!(count > 0);
}

#[test]
fn a_program_that_writes_to_both_outputs_without_end_ends_at_its_time_limit() {
    let result = shell("yes >&2 & yes")
        .timeout(Duration::from_millis(300))
        .output_limit(usize::MAX)
        .run();
    let output = timed_out(result);
    assert!(!output.stdout().is_empty() && !output.stderr().is_empty());
}

#[test]
fn a_slow_closure_does_not_postpone_the_time_limit() {
    let mut count = 0;
    let result = shell("yes | head -c 20000; sleep 1000")
        .timeout(Duration::from_millis(300))
        .run_lines(|_| {
            count += 1;
            std::thread::sleep(Duration::from_millis(100));
        });
    let output = timed_out(result);
    assert!((1..1000).contains(&count), "{count} lines");
    // Each of the 10,000 lines was handed over or is in the error.
    assert_eq!(count + output.lines().len(), 10_000);
}

#[test]
fn a_slow_closure_does_not_make_a_program_late_that_has_ended() {
    let mut lines = Vec::new();
    let output = shell("seq 5")
        .timeout(Duration::from_millis(2000))
        .run_lines(|line| {
            lines.push(line.to_owned());
            std::thread::sleep(Duration::from_millis(600));
        })
        .unwrap();
    assert!(output.status().success());
    assert_eq!(lines, ["1", "2", "3", "4", "5"]);
}

#[test]
fn output_beyond_the_limit_ends_the_program() {
    let over = |result: Result<procs::Output, CommandError>| match result {
        Err(CommandError::OutputLimit(output)) => *output,
        other => panic!("expected OutputLimit: {other:?}"),
    };
    let output = over(command("yes").output_limit(1001).run());
    assert_eq!(output.stdout().len(), 1001);
    assert_eq!(output.status().signal(), Some(9));
    let output = over(shell("yes >&2").output_limit(1001).run());
    assert_eq!(output.stderr().len(), 1001);
    // A program that has ended by itself exceeds it as well.
    let output = over(shell("seq 1000").output_limit(100).run());
    assert_eq!(output.stdout().len(), 100);
    let exact = command("printf").arg("12345").output_limit(5).run();
    assert_eq!(exact.unwrap().text(), "12345");
}

#[test]
fn the_output_limit_of_lines_is_that_of_one_line() {
    let mut count = 0;
    let output = shell("yes | head -c 1000000")
        .output_limit(1000)
        .run_lines(|_| count += 1)
        .unwrap();
    assert!(output.status().success());
    assert_eq!(count, 500_000);
    let endless = shell("tr '\\0' x < /dev/zero")
        .output_limit(100_000)
        .run_lines(|_| panic!("there is no line"));
    assert!(matches!(endless, Err(CommandError::OutputLimit(_))));
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
fn lines_end_as_those_of_the_whole_output_do() {
    let text = "one\ntwo\r\n\r\n\nthree\r\r\nfour\rfive\nlast\r";
    let print = command("printf").arg(text);
    let mut lines = Vec::new();
    let _ = print
        .clone()
        .run_lines(|line| lines.push(line.to_owned()))
        .unwrap();
    assert_eq!(lines, print.run().unwrap().lines());
    assert_eq!(
        lines,
        ["one", "two", "", "", "three\r", "four\rfive", "last\r"]
    );
}

/// A cost that grows with the square of the input would take hours here.
#[test]
fn many_short_lines_and_one_long_line_are_read_at_the_same_cost_a_byte() {
    let mut count = 0_u64;
    let _ = shell("yes '' | head -c 30000000")
        .timeout(LIMIT)
        .run_lines(|line| count += u64::from(line.is_empty()))
        .unwrap();
    assert_eq!(count, 30_000_000);
    let mut length = 0;
    let _ = shell("head -c 200000000 /dev/zero")
        .timeout(LIMIT)
        .run_lines(|line| length += line.len())
        .unwrap();
    assert_eq!(length, 200_000_000);
}

#[test]
fn a_program_that_stops_itself_ends_at_its_time_limit() {
    let output = timed_out(
        shell("echo begun; kill -STOP $$; echo no")
            .timeout(Duration::from_millis(300))
            .run(),
    );
    assert_eq!(output.text(), "begun\n");
}

#[test]
fn a_program_that_closes_its_outputs_is_waited_for() {
    let output = shell("exec >&- 2>&-; sleep 0.3; exit 5").run().unwrap();
    assert_eq!(output.status().code(), Some(5));
}

#[test]
fn a_closure_that_panics_ends_the_program() {
    let mut child = None;
    let run = std::panic::AssertUnwindSafe(|| {
        shell("echo $$; sleep 1000; true").run_lines(|line| {
            child = line.parse::<u32>().ok();
            panic!("expected by this test");
        })
    });
    let payload = std::panic::catch_unwind(run).unwrap_err();
    assert_eq!(
        payload.downcast_ref::<&str>(),
        Some(&"expected by this test")
    );
    assert!(!is_running(child.unwrap()));
}
