//! The program: what it writes, what it refuses, what it leaves behind.

mod common;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use common::Scratch;

/// Guards against a hang; nothing here takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(60);

fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    // What Python does is tested in a file of its own.
    command.args(arguments).stdin(Stdio::null());
    if !arguments.contains(&"--help") {
        command.arg("--no-python");
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    compare(arguments).output().unwrap()
}

#[test]
fn writes_a_table_a_page_and_json() {
    let out = Scratch::new("writes");
    let ran = run(&[
        "--workload",
        "primes,echo",
        "--tasks",
        "3",
        "--workers",
        "2",
        "--out",
        out.path(),
    ]);
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    for model in [
        "serial",
        "process-per-task",
        "process-pool",
        "thread-per-task",
        "thread-pool",
        "coroutines",
        "event-loop",
        "event-loop-per-core",
        "prefork",
    ] {
        let line = format!("{model} ");
        let lines = shown
            .lines()
            .filter(|shown| shown.trim_start().starts_with(&line));
        assert!(
            lines.count() >= 2,
            "a line for {model} in each table of\n{shown}"
        );
    }
    let verdicts = shown
        .lines()
        .filter(|line| line.contains("ahead") || line.contains(" are level: "));
    assert_eq!(verdicts.count(), 2, "one for each workload in\n{shown}");

    let results: Value = serde_json::from_str(&out.read("results.json")).unwrap();
    assert!(results["machine"]["processors"].as_u64().unwrap() >= 1);
    let rows = results["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 18);
    for row in rows {
        assert_eq!(row["tasks"], 3, "{row}");
        assert_eq!(row["workers"], 2, "{row}");
        for positive in [
            "concurrency",
            "runs",
            "wall_s",
            "tasks_per_s",
            "p50_ms",
            "p90_ms",
            "p99_ms",
            "max_ms",
            "peak_rss_bytes",
        ] {
            assert!(row[positive].as_f64().unwrap() > 0.0, "{positive} in {row}");
        }
        for counted in ["spread", "cpu_s", "ctx_voluntary", "ctx_involuntary"] {
            assert!(row[counted].as_f64().unwrap() >= 0.0, "{counted} in {row}");
        }
        let same = rows
            .iter()
            .filter(|other| other["workload"] == row["workload"]);
        assert!(
            same.clone()
                .all(|other| other["checksum"] == row["checksum"]),
            "{row}"
        );
    }

    let page = out.read("index.html");
    assert_eq!(
        page.matches("<svg ").count(),
        2 * 4,
        "four charts a workload"
    );
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "the page needs nothing from elsewhere"
    );
}

#[test]
fn the_chosen_model_is_held_against_serial() {
    let out = Scratch::new("chosen");
    let ran = run(&[
        "--workload",
        "primes",
        "--model",
        "thread-pool",
        "--tasks",
        "2",
        "--out",
        out.path(),
    ]);
    assert!(ran.status.success());
    let results: Value = serde_json::from_str(&out.read("results.json")).unwrap();
    let models: Vec<&str> = results["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["model"].as_str().unwrap())
        .collect();
    assert_eq!(models, ["serial", "thread-pool"]);
}

/// The rows and what was left out, as `--json -` prints them.
fn measured(arguments: &[&str]) -> (Option<i32>, Vec<Value>, Vec<Value>) {
    let out = Scratch::new(&format!("json-{}", arguments.concat().replace('/', "-")));
    let ran = run(&[arguments, &["--json", "-", "--out", out.path()]].concat());
    let results: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let list = |name: &str| results[name].as_array().unwrap().clone();
    (ran.status.code(), list("rows"), list("left_out"))
}

#[test]
fn json_alone_goes_to_the_standard_output_and_has_the_median_of_the_rounds() {
    let (status, rows, _) = measured(&[
        "--filter",
        "primes by thread-p",
        "--tasks",
        "4",
        "--repeat",
        "5",
    ]);
    assert_eq!(status, Some(0));
    let models: Vec<&Value> = rows.iter().map(|row| &row["model"]).collect();
    assert_eq!(models, ["thread-per-task", "thread-pool"]);
    assert!(
        rows.iter()
            .all(|row| row["runs"] == 5 && row["language"] == "rust")
    );
}

#[test]
fn each_concurrency_has_its_rows_and_what_makes_no_sense_is_left_out_with_the_reason() {
    let arguments = [
        "--workload",
        "echo",
        "--model",
        "process-pool,event-loop",
        "--repeat",
        "1",
    ];
    let (status, rows, left_out) = measured(
        &[
            &arguments[..],
            &["--tasks", "20", "--concurrency", "2,20000"],
        ]
        .concat(),
    );
    assert_eq!(status, Some(0), "left out is not failed");
    let names: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row["model"].as_str().unwrap(), row["concurrency"]))
        .collect();
    assert_eq!(
        names,
        [
            "serial 2",
            "process-pool 2",
            "event-loop 2",
            "event-loop 20000"
        ]
    );
    let reasons: Vec<&str> = left_out
        .iter()
        .map(|left_out| left_out["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons
            .iter()
            .any(|reason| reason.starts_with("20000 processes at once, and ")),
        "{reasons:?}"
    );
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("one task at a time")),
        "{reasons:?}"
    );
}

#[test]
fn a_row_that_takes_too_long_is_ended_and_fails_alone() {
    let arguments = [
        "--workload",
        "echo",
        "--model",
        "event-loop",
        "--tasks",
        "100",
        "--repeat",
        "1",
        "--limit",
        "1",
    ];
    let (status, rows, left_out) = measured(&[&arguments[..], &["--concurrency", "100"]].concat());
    assert_eq!(status, Some(1));
    assert_eq!(
        (rows.len(), left_out.len()),
        (1, 1),
        "100 waits of 20 ms in turn take longer than 1 s"
    );
    assert_eq!(
        (&rows[0]["model"], &left_out[0]["model"]),
        (&"event-loop".into(), &"serial".into())
    );
    let reason = left_out[0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("not ended after 1 s") && reason.contains("--limit"),
        "{reason}"
    );
}

#[test]
fn the_overview_has_a_map_and_is_there_when_asked_for() {
    let out = Scratch::new("overview");
    let arguments = [
        "--workload",
        "primes",
        "--model",
        "event-loop,thread-pool",
        "--tasks",
        "2",
        "--repeat",
        "1",
        "--overview",
    ];
    let ran = run(&[&arguments[..], &["--out", out.path()]].concat());
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success());
    assert!(shown.contains("the crossover map"), "{shown}");
    let results: Value = serde_json::from_str(&out.read("results.json")).unwrap();
    let cells = results["map"]["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4 * 3);
    assert!(
        cells
            .iter()
            .all(|cell| cell["ranking"].as_array().unwrap().len() >= 2),
        "{cells:?}"
    );
    for picture in ["map.svg", "echo-scaling.svg", "timeline.svg"] {
        assert!(
            out.read(picture).starts_with("<svg xmlns="),
            "{picture} is a file of its own"
        );
    }
    let page = out.read("index.html");
    for section in ["map", "primes-4", "timeline", "method"] {
        assert!(
            page.contains(&format!("<section id=\"{section}")),
            "{section}"
        );
        assert!(
            page.contains(&format!("<a href=\"#{section}")),
            "a link to {section}"
        );
    }
}

/// What a reader clicks must be there.
#[test]
fn every_link_of_the_page_leads_somewhere() {
    let out = Scratch::new("links");
    assert!(
        run(&[
            "--filter",
            "primes by serial",
            "--tasks",
            "1",
            "--out",
            out.path()
        ])
        .status
        .success()
    );
    let page = out.read("index.html");
    let links: Vec<&str> = page
        .split("href=\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(links.len() > 10);
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link}");
    }
}

#[test]
fn a_baseline_tells_what_has_changed() {
    let out = Scratch::new("baseline");
    let arguments = [
        "--filter",
        "primes by serial",
        "--tasks",
        "2",
        "--repeat",
        "1",
        "--out",
        out.path(),
    ];
    assert!(run(&arguments).status.success());
    // Nobody is as fast as this.
    let mut earlier: Value = serde_json::from_str(&out.read("results.json")).unwrap();
    earlier["rows"][0]["tasks_per_s"] = 1e9.into();
    let file = Path::new(out.path()).join("earlier.json");
    std::fs::write(&file, earlier.to_string()).unwrap();
    let ran = run(&[&arguments[..], &["--baseline", file.to_str().unwrap()]].concat());
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(shown.contains("1 of 1 rows have changed"), "{shown}");
    assert!(shown.contains("was 1,000,000,000 (-100 %)"), "{shown}");
    let results: Value = serde_json::from_str(&out.read("results.json")).unwrap();
    assert_eq!(results["baseline"]["changes"][0]["beyond_noise"], true);
}

#[test]
fn a_bad_argument_is_named_and_gives_status_2() {
    for (arguments, named) in [
        (vec!["--workload", "cooking"], "cooking"),
        (vec!["--model", "telepathy"], "telepathy"),
        (vec!["--tasks", "0"], "--tasks"),
        (vec!["--workers", "many"], "many"),
        (vec!["--repeat", "0"], "--repeat"),
        (vec!["--cpu", "soon"], "soon"),
        (vec!["--concurrency", "10,0"], "--concurrency"),
        (vec!["--baseline", "/no/results.json"], "/no/results.json"),
        (vec!["--fast"], "--fast"),
        (vec!["--filter", "nosuch"], "--filter"),
        (vec!["--workload", "ab"], "compare timeline"),
        (vec!["--json", "/no/results.json"], "/no/results.json"),
    ] {
        let ran = run(&arguments);
        let said = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named_and_gives_status_2() {
    let ran = run(&["--tasks", "1", "--out", "/dev/null/results"]);
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{said}");
    assert!(
        said.contains("/dev/null/results") && said.contains("--out"),
        "{said}"
    );
}

/// One row of one task, in a moment.
const LITTLE: [&str; 6] = [
    "--filter",
    "primes by serial",
    "--tasks",
    "1",
    "--repeat",
    "1",
];

#[test]
fn a_reader_who_has_gone_is_no_error() {
    let out = Scratch::new("pipe");
    for more in [vec![], vec!["--json", "-"]] {
        let arguments = [&LITTLE[..], &more, &["--out", out.path()]].concat();
        let mut program = compare(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((program.stdout.take(), program.stderr.take()));
        assert!(program.wait().unwrap().success(), "{more:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let out = Scratch::new("full");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let arguments = [&LITTLE[..], &["--json", "-", "--out", out.path()]].concat();
    let ran = compare(&arguments).stdout(full).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("writing to standard output"), "{said}");
}

#[test]
fn the_first_words_are_the_answers() {
    let out = Scratch::new("short");
    let ran = run(&["--quick", "--out", out.path()]);
    let shown = String::from_utf8(ran.stdout).unwrap();
    let answers = shown
        .lines()
        .skip_while(|line| !line.starts_with(" your tasks"));
    let lines: Vec<&str> = answers.take_while(|line| !line.is_empty()).collect();
    for kind in [
        "compute ",
        "wait for answers",
        "force files",
        "compute, then wait",
        "may crash",
    ] {
        let line = lines
            .iter()
            .find(|line| line.trim_start().starts_with(kind));
        assert!(line.is_some(), "{kind} in\n{shown}");
    }
    assert!(shown.lines().count() <= 40, "one screen:\n{shown}");
    assert!(
        shown.lines().all(|line| !line.starts_with("event-loop ")),
        "no table of rows"
    );
    let page = out.read("index.html");
    let (head, _) = page.split_once("<svg").unwrap();
    assert!(head.contains("They compute"), "before any picture");
    assert!(out.read("short.md").contains("| Compute | "));
}

#[test]
fn who_cannot_see_a_picture_is_told_what_it_shows() {
    let out = Scratch::new("alternative");
    let arguments = [&LITTLE[..], &["--out", out.path()]].concat();
    assert!(run(&arguments).status.success());
    let page = out.read("index.html");
    let pictures: Vec<&str> = page.split("<svg ").skip(1).collect();
    assert_eq!(pictures.len(), 4);
    for picture in pictures {
        let text = |tag: &str| {
            let (_, rest) = picture.split_once(&format!("<{tag} id=\"")).unwrap();
            let (id, rest) = rest.split_once("\">").unwrap();
            assert!(
                picture.split('>').next().unwrap().contains(id),
                "{id} is named"
            );
            rest.split_once("</").unwrap().0.to_owned()
        };
        assert!(text("title").ends_with(" is better)"), "{}", text("title"));
        assert!(text("desc").starts_with("serial "), "{}", text("desc"));
    }
}

#[test]
fn help_has_examples() {
    let ran = run(&["--help"]);
    assert!(ran.status.success());
    assert!(
        String::from_utf8(ran.stdout)
            .unwrap()
            .contains("compare --quick")
    );
}

#[test]
fn leaves_no_process_behind_when_killed() {
    ends_with_all_its_processes(Signal::SIGKILL);
}

#[test]
fn leaves_no_process_behind_on_ctrl_c() {
    ends_with_all_its_processes(Signal::SIGINT);
}

fn ends_with_all_its_processes(signal: Signal) {
    let out = Scratch::new(signal.as_str());
    let arguments = [
        "--workload",
        "echo",
        "--model",
        "process-pool",
        "--tasks",
        "100000",
        "--out",
        out.path(),
    ];
    let mut program = compare(&arguments).stderr(Stdio::null()).spawn().unwrap();
    let processes = with_grandchildren(&mut program);
    kill(Pid::from_raw(i32::try_from(program.id()).unwrap()), signal).unwrap();
    let status = program.wait().unwrap();
    if signal == Signal::SIGINT {
        assert_eq!(status.code(), Some(130));
        let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().collect();
        assert!(left.is_empty(), "nothing was written: {left:?}");
    }
    let deadline = Instant::now() + DEADLINE;
    for process in processes {
        while Path::new("/proc").join(process.to_string()).exists() && !is_zombie(process) {
            assert!(Instant::now() < deadline, "process {process} is left");
            std::thread::yield_now();
        }
    }
}

/// The program's descendants, once there are several: the services and a model's process at least.
fn with_grandchildren(program: &mut Child) -> Vec<u32> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let found = descendants(program.id());
        if found.len() >= 2 {
            return found;
        }
        assert!(
            Instant::now() < deadline && program.try_wait().unwrap().is_none(),
            "it starts processes"
        );
        std::thread::yield_now();
    }
}

fn descendants(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> = lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    children
        .iter()
        .copied()
        .chain(children.iter().flat_map(|child| descendants(*child)))
        .collect()
}

/// Ended, and only waiting for whoever inherited it to fetch its status.
fn is_zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}
