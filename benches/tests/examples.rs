//! Each example does what its header says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn program(name: &str) -> PathBuf {
    // Test programs are in target/PROFILE/deps, examples in target/PROFILE/examples.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

fn shown(name: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program(name))
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{name}: {said}");
    String::from_utf8(ran.stdout).unwrap()
}

/// The programs that `compare advise` gives to start from: each compiles, or this would not, and works.
#[test]
fn every_start_works() {
    for (name, expected) in [
        ("start_serial", "328350\n"),
        ("start_process_per_task", "285\n"),
        ("start_process_pool", "328350\n"),
        ("start_thread_per_task", "328350\n"),
        ("start_thread_pool", "328350\n"),
        ("start_coroutines", "328350\n"),
        ("start_event_loop", "328350\n"),
        ("start_event_loop_per_core", "328350\n"),
        ("start_prefork", "328350\n"),
    ] {
        assert_eq!(shown(name, &[]), expected, "{name}");
    }
}

#[test]
fn four_ways() {
    let folder = std::env::temp_dir().join(format!("four-ways-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let shown = shown("four_ways", &[folder.to_str().unwrap()]);
    let picture = std::fs::read_to_string(folder.join("four_ways.svg")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    for model in benches::Model::ALL {
        let lanes = shown
            .split("\n\n")
            .find(|part| part.starts_with(&format!("{model}, ")));
        let lanes = lanes.unwrap_or_else(|| panic!("{model} in {shown}"));
        assert!(lanes.contains('█') && lanes.contains('·'), "{lanes}");
        assert!(
            picture.contains(&format!(">{model}, ")),
            "{model} has its place in the picture"
        );
    }
    let lanes = |model: &str| {
        shown
            .split("\n\n")
            .find(|part| part.starts_with(model))
            .unwrap()
            .lines()
            .count()
            - 1
    };
    assert_eq!((lanes("serial, "), lanes("thread-per-task, ")), (1, 2));
    assert!(
        shown.contains("process 1, thread 1, task 1"),
        "coroutines share a thread and have a lane each"
    );
    assert!(
        shown.contains("process 2, thread 1"),
        "processes are told apart"
    );
}

#[test]
fn prefork_http() {
    let mut server = Command::new(program("prefork_http"))
        .arg("0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let started = lines.next().unwrap().unwrap();
    let address = started.split("http://").nth(1).unwrap();
    let address = address.split("...").next().unwrap();
    let first: Vec<&str> = started
        .split("in processes ")
        .nth(1)
        .unwrap()
        .split(", ")
        .collect();
    let answered = get(address);
    assert!(
        first
            .iter()
            .any(|pid| answered.ends_with(&format!("process {pid}\n"))),
        "{answered}"
    );

    let killed: i32 = first[0].parse().unwrap();
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    for _ in 0..20 {
        assert!(
            get(address).starts_with("HTTP/1.1 200 "),
            "the others answer meanwhile"
        );
    }
    let replaced = lines.next().unwrap().unwrap();
    assert!(
        replaced.starts_with(&format!("Process {killed} ended, process ")),
        "{replaced}"
    );
    assert!(get(address).starts_with("HTTP/1.1 200 "));

    kill(
        Pid::from_raw(i32::try_from(server.id()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert!(server.wait().unwrap().success());
}

fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
