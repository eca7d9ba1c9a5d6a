//! Each example does what its header says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

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
        ("start_crashy_pool", "99 results, 1 failure\n"),
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

    // Connections that stay open, until each process has one; and two that ask without pause.
    let mut held: Vec<(TcpStream, String)> = Vec::new();
    while first.len() > 1
        && first
            .iter()
            .any(|pid| held.iter().all(|(_, owner)| owner != pid))
    {
        assert!(held.len() < 1000, "only some of {first:?} answer");
        let mut stream = TcpStream::connect(address).unwrap();
        let owner = ask(&mut stream).unwrap();
        held.push((stream, owner));
    }
    let asking: Vec<_> = (0..2).map(|_| Load::start(address)).collect();

    let killed: i32 = first[0].parse().unwrap();
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    for _ in 0..20 {
        assert!(
            get(address).starts_with("HTTP/1.1 200 "),
            "the others answer meanwhile"
        );
    }
    let replaced = lines.next().unwrap().unwrap();
    let replacement = replaced.strip_prefix(&format!("Process {killed} ended, process "));
    let replacement = replacement.unwrap_or_else(|| panic!("{replaced}"));
    let replacement = replacement.split(' ').next().unwrap();

    for (stream, owner) in &mut held {
        let answered = ask(stream);
        match owner.parse() == Ok(killed) {
            true => assert!(
                answered.is_err(),
                "{answered:?} from a process that is dead"
            ),
            false => assert_eq!(answered.unwrap(), *owner, "unharmed"),
        }
    }
    // Those that the dead process was not answering have not missed an answer.
    let broken: usize = asking.into_iter().map(|load| load.stop(killed)).sum();
    assert!(broken <= 2, "one of each at the most");
    let taken_over =
        (0..10_000).any(|_| get(address).ends_with(&format!("process {replacement}\n")));
    assert!(taken_over, "the replacement answers, too");

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

/// Asks on a connection that stays open, and gives the process that answered.
fn ask(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut answer = Vec::new();
    let body = loop {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && body.ends_with('\n')
        {
            break body.to_owned();
        }
    };
    Ok(body.trim_start_matches("process ").trim().to_owned())
}

/// Asks without pause on a connection of its own; on a new one when that breaks.
struct Load {
    over: Arc<AtomicBool>,
    asking: JoinHandle<(Option<String>, usize)>,
}

impl Load {
    fn start(address: &str) -> Self {
        let (over, address) = (Arc::new(AtomicBool::new(false)), address.to_owned());
        let told = over.clone();
        let asking = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(&address).unwrap();
            let (mut first, mut broken) = (None, 0);
            while !told.load(Ordering::Relaxed) {
                match ask(&mut stream) {
                    Ok(owner) => first = first.or(Some(owner)),
                    Err(_) => {
                        broken += 1;
                        stream = TcpStream::connect(&address).unwrap();
                    }
                }
            }
            (first, broken)
        });
        Load { over, asking }
    }

    /// Ends it, and gives how often it was broken off: never, unless it was with the process that was killed.
    fn stop(self, killed: i32) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let (first, broken) = self.asking.join().unwrap();
        if first.is_some_and(|owner| owner.parse() != Ok(killed)) {
            assert_eq!(broken, 0, "a connection to another process is unharmed");
        }
        broken
    }
}
