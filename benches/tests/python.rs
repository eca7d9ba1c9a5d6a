//! Python's models do what Rust's do, and its absence is said.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `compare --json -` with a folder of its own, which is removed, and this search path.
fn compare(name: &str, path: Option<&str>, arguments: &[&str]) -> Output {
    let out: PathBuf =
        std::env::temp_dir().join(format!("compare-python-{name}-{}", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command
        .args(arguments)
        .args(["--json", "-", "--out"])
        .arg(&out)
        .stdin(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
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
    let contenders = match benches::python::find() {
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
        "no rows of Python: Python: left out, as --no-python says"
    );
}
