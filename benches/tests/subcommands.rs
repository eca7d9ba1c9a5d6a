//! advise, timeline and serve: what they say, write and answer.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use common::Scratch;

fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = compare(arguments).output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn advise_names_a_model_with_its_crate_reasons_and_a_program() {
    let (status, said, errors) = run(&[
        "advise", "--io", "5ms", "--cpu", "0", "--tasks", "40", "--repeat", "1",
    ]);
    assert_eq!(status, Some(0), "{errors}");
    assert!(said.contains("Use "), "{said}");
    assert!(
        !said.contains("Use a plain loop"),
        "40 waits in turn cannot be the best:\n{said}"
    );
    assert!(said.contains("The tasks only wait"), "{said}");
    assert!(said.contains("One after the other would take"), "{said}");
    assert!(said.contains("fn main()"), "{said}");
}

#[test]
fn advise_keeps_what_may_crash_in_processes() {
    let (status, said, errors) = run(&[
        "advise", "--cpu", "100us", "--io", "2ms", "--tasks", "20", "--repeat", "1", "--crashy",
    ]);
    assert_eq!(status, Some(0), "{errors}");
    assert!(said.contains("from the crate procs"), "{said}");
    assert!(
        said.contains("thread-pool           not for this: a crash takes the whole program along"),
        "{said}"
    );
}

#[test]
fn advise_says_when_nothing_fits() {
    let (status, said, _) = run(&[
        "advise", "--cpu", "100us", "--io", "0", "--tasks", "4", "--repeat", "1", "--memory",
        "1KiB",
    ]);
    assert_eq!(status, Some(1));
    assert!(
        said.contains("No model fits:") && said.contains("more than 0.0010 MiB"),
        "{said}"
    );
}

#[test]
fn bad_arguments_are_named() {
    for (arguments, named) in [
        (
            vec!["advise", "--cpu", "1ms", "--io", "1ms", "--tasks", "0"],
            "--tasks",
        ),
        (
            vec!["advise", "--cpu", "1ms", "--io", "long", "--tasks", "1"],
            "long",
        ),
        (
            vec![
                "advise", "--cpu", "1ms", "--io", "1ms", "--tasks", "1", "--memory", "much",
            ],
            "much",
        ),
        (vec!["timeline", "--workload", "cooking"], "cooking"),
        (vec!["serve", "--port", "80"], "--port"),
    ] {
        let (status, _, said) = run(&arguments);
        assert_eq!(status, Some(2), "{arguments:?}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn timeline_draws_lanes_and_writes_a_picture_and_a_trace() {
    let out = Scratch::new("timeline");
    let arguments = [
        "timeline",
        "--workload",
        "echo",
        "--tasks",
        "3",
        "--model",
        "serial,event-loop",
        "--out",
        out.path(),
    ];
    let (status, said, errors) = run(&arguments);
    assert_eq!(status, Some(0), "{errors}");
    assert!(said.contains("process 1, thread 1, task 2"), "{said}");
    assert!(
        out.read("timeline.svg").starts_with("<svg xmlns"),
        "a file needs its namespace"
    );
    let trace: Value = serde_json::from_str(&out.read("timeline.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let waits = events
        .iter()
        .filter(|event| event["ph"] == "X" && event["name"].as_str().unwrap().ends_with(": wait"));
    let long = waits.filter(|event| event["dur"].as_f64().unwrap() >= 19_000.0);
    assert_eq!(long.count(), 2 * 3, "each task of each model waited 20 ms");
}

#[test]
fn serve_gives_the_page_and_ends_when_told() {
    let out = Scratch::new("serve");
    let small = [
        "--filter",
        "primes by serial",
        "--tasks",
        "1",
        "--repeat",
        "1",
        "--no-python",
        "--out",
        out.path(),
    ];
    assert_eq!(run(&small).0, Some(0));
    let mut server = compare(&["serve", "--address", "127.0.0.1:0", "--out", out.path()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let rest = line.split("http://").nth(1).unwrap();
    let address: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':'))
        .collect();
    let address = address.trim_end_matches('.');
    let page = get(address, "/");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with(&out.read("index.html")),
        "{page}"
    );
    assert!(get(address, "/results.json").contains("application/json"));
    assert!(
        get(address, "/timeline.svg").starts_with("HTTP/1.1 404 "),
        "it was not written"
    );
    assert!(
        get(address, "/../Cargo.toml").starts_with("HTTP/1.1 404 "),
        "nothing else is served"
    );
    kill(
        Pid::from_raw(i32::try_from(server.id()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert!(server.wait().unwrap().success());
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serve_without_a_page_says_what_to_do() {
    let (status, _, said) = run(&["serve", "--out", "/nowhere"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("run a comparison first"), "{said}");
}
