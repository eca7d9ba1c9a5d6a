//! Python's models do what Rust's do, and its absence is said.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `compare --json -` with a folder of its own, which is removed, and this search path.
fn compare(name: &str, path: Option<&str>, arguments: &[&str]) -> Output {
    compare_with(name, arguments, |command| {
        if let Some(path) = path {
            command.env("PATH", path);
        }
    })
}

fn compare_with(name: &str, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Output {
    let out: PathBuf =
        std::env::temp_dir().join(format!("compare-python-{name}-{}", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command
        .args(arguments)
        .args(["--json", "-", "--out"])
        .arg(&out)
        .stdin(Stdio::null());
    prepare(&mut command);
    let ran = command.output().unwrap();
    let _ = std::fs::remove_dir_all(out);
    ran
}

#[test]
fn every_model_gives_the_checksum_that_it_gives_in_rust_or_its_absence_is_said() {
    let small = [
        "--filter",
        "by serial,python",
        "--tasks",
        "3",
        "--concurrency",
        "2",
        "--repeat",
        "1",
        "--cpu",
        "100us",
        "--io",
        "1ms",
    ];
    let ran = compare("agrees", None, &small);
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(results["left_out"], serde_json::json!([]));
    assert!(ran.status.success());
    let said = results["python"].as_str().unwrap();
    let contenders = match benches::python::find(None) {
        Ok(python) => {
            assert_eq!(said, python.introduction);
            1 + 9
        }
        Err(absent) => {
            assert_eq!(said, format!("no rows of Python: {absent}"));
            1
        }
    };
    let rows = results["rows"].as_array().unwrap();
    assert_eq!(
        rows.len(),
        7 * contenders,
        "Rust's serial model, and all of Python's"
    );
    for row in rows {
        let of_workload = rows
            .iter()
            .filter(|other| other["workload"] == row["workload"]);
        assert!(
            of_workload
                .clone()
                .all(|other| other["checksum"] == row["checksum"]),
            "{row}"
        );
        assert!(row["peak_rss_bytes"].as_u64().unwrap() > 0, "{row}");
    }
}

#[test]
fn without_an_interpreter_rust_is_measured_and_the_absence_said() {
    let arguments = [
        "--filter",
        "primes by serial",
        "--tasks",
        "1",
        "--repeat",
        "1",
    ];
    let ran = compare("absent", Some("/nowhere"), &arguments);
    assert!(ran.status.success());
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(results["rows"].as_array().unwrap().len(), 1);
    let said = results["python"].as_str().unwrap();
    assert!(
        said.starts_with("no rows of Python: ") && said.contains("python3"),
        "{said}"
    );
}

#[test]
fn to_ask_for_an_interpreter_that_is_not_there_is_an_error() {
    let ran = compare("demanded", Some("/nowhere"), &["--python", "--tasks", "1"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("python3"));
}

#[test]
fn it_can_be_left_out() {
    let ran = compare(
        "left-out",
        None,
        &[
            "--no-python",
            "--filter",
            "primes by serial",
            "--tasks",
            "1",
        ],
    );
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(
        results["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["language"] == "rust")
    );
    assert_eq!(
        results["python"],
        "no rows of Python: left out: --no-python says so"
    );
}

/// Stands for aiohttp: notes who imports it and each request that is made by it.
const AIOHTTP: &str = r#"
import asyncio, os, sys

__version__ = "0.0"

def note(what):
    if sys.argv[0].endswith("run.py"):
        with open(os.environ["NOTES"], "a") as notes:
            notes.write(what + "\n")

note("imported")

class TCPConnector:
    def __init__(self, limit, force_close):
        pass

class Answer:
    def __init__(self, url):
        self.host, path = url.removeprefix("http://").split("/", 1)
        self.path = "/" + path

    async def __aenter__(self):
        host, port = self.host.split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        self.writer.write(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
        head, self.body = (await self.reader.read()).split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])
        return self

    async def __aexit__(self, *error):
        self.writer.close()

    async def read(self):
        return self.body

class ClientSession:
    def __init__(self, connector):
        pass

    def get(self, url):
        note("asked")
        return Answer(url)

    async def close(self):
        note("closed")
"#;

/// What the stand-in for aiohttp noted, and what the comparison said of Python.
fn notes_of_aiohttp(workload: &str) -> Option<(Vec<String>, String)> {
    benches::python::find(None).ok()?;
    let folder = std::env::temp_dir().join(format!("stand-in-{workload}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("aiohttp.py"), AIOHTTP).unwrap();
    let notes = folder.join("notes");
    std::fs::write(&notes, "").unwrap();
    let filter = format!("{workload} by python event-loop,{workload} by python thread-pool");
    let arguments = ["--workload", workload, "--filter", &filter, "--tasks", "4"];
    let arguments = [&arguments[..], &["--concurrency", "2", "--repeat", "1"]].concat();
    let ran = compare_with(workload, &arguments, |command| {
        command.env("PYTHONPATH", &folder).env("NOTES", &notes);
    });
    let noted = std::fs::read_to_string(&notes).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(results["left_out"], serde_json::json!([]));
    assert_eq!(results["rows"].as_array().unwrap().len(), 3);
    let python = results["python"].as_str().unwrap().to_owned();
    Some((noted.lines().map(str::to_owned).collect(), python))
}

#[test]
fn event_loops_make_requests_by_aiohttp_where_it_is_installed() {
    let Some((notes, python)) = notes_of_aiohttp("http") else {
        eprintln!("NOT TESTED: there is no python3 here");
        return;
    };
    assert!(python.ends_with(", aiohttp 0.0"), "{python}");
    let count = |what: &str| notes.iter().filter(|note| *note == what).count();
    assert_eq!(count("imported"), 2, "by the event loops alone: {notes:?}");
    assert_eq!(count("asked"), 2 * 4, "{notes:?}");
    let loops = 1 + benches::limits::processors().min(2);
    assert_eq!(count("closed"), loops, "{notes:?}");
}

#[test]
fn nobody_imports_aiohttp_who_makes_no_requests() {
    match notes_of_aiohttp("echo") {
        Some((notes, _)) => assert_eq!(notes, [""; 0]),
        None => eprintln!("NOT TESTED: there is no python3 here"),
    }
}

#[test]
fn the_interpreter_can_be_named() {
    let Ok(python) = benches::python::find(None) else {
        eprintln!("NOT TESTED: there is no python3 here");
        return;
    };
    let named = procs::command("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .run()
        .unwrap();
    let argument = format!("--python={}", named.text().trim());
    let filter = "primes by python serial";
    let ran = compare(
        "named",
        Some("/nowhere"),
        &[&argument, "--filter", filter, "--tasks", "1"],
    );
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(results["python"], python.introduction.as_str());
    assert_eq!(results["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn an_interpreter_that_is_none_is_named() {
    let ran = compare("none", None, &["--python=/bin/false", "--tasks", "1"]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("/bin/false"));
}
