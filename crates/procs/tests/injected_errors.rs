//! System calls that fail at any place cost an error, never a hang, a crash, a panic of the library or a process left behind.
//!
//! Runs the example programs under `strace -e inject`. It takes minutes and needs strace, so it is ignored by default:
//! `just inject`.

use std::env;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The programs: one for each mechanism.
const PROGRAMS: &[&str] = &[
    "process_hello",
    "process_pool",
    "process_pipe",
    "process_queue",
    "process_lock",
    "process_manager",
    "run_program",
];

/// System calls, and the errors that the kernel documents for them.
///
/// `write` and `futex` are not interrupted here: the library calls them where Linux never returns EINTR (an eventfd with
/// room, FUTEX_WAKE).
const FAULTS: &[(&str, &[&str])] = &[
    ("ppoll", &["EINTR", "ENOMEM"]),
    ("poll", &["EINTR", "ENOMEM"]),
    ("waitid", &["EINTR"]),
    ("recvmsg", &["EINTR", "EAGAIN"]),
    ("recvfrom", &["EINTR"]),
    ("sendmsg", &["EINTR", "ENOBUFS"]),
    ("sendto", &["EINTR", "ENOBUFS"]),
    ("accept4", &["EINTR", "EMFILE"]),
    ("connect", &["EINTR"]),
    ("socketpair", &["EMFILE"]),
    ("eventfd2", &["EMFILE"]),
    ("pipe2", &["EMFILE"]),
    ("memfd_create", &["EMFILE", "ENOMEM"]),
    ("ftruncate", &["EINTR", "ENOSPC"]),
    ("mmap", &["ENOMEM"]),
    ("pidfd_open", &["EMFILE"]),
    ("pidfd_send_signal", &["EPERM"]),
    ("clone", &["EAGAIN", "ENOMEM"]),
    ("clone3", &["EAGAIN", "ENOMEM"]),
    ("fork", &["EAGAIN"]),
    ("vfork", &["EAGAIN"]),
    ("execve", &["ENOMEM"]),
    ("prctl", &["EINVAL"]),
    ("close_range", &["ENOSYS"]),
    ("fcntl", &["EMFILE"]),
    ("dup3", &["EINTR"]),
    ("setpgid", &["EPERM"]),
    ("getsockopt", &["ENOBUFS"]),
    ("openat", &["EMFILE"]),
];

/// At which occurrences of a call its error is injected.
const OCCURRENCES: &[u32] = &[1, 2, 3, 5, 8, 13, 21];

/// Longer than any of the programs takes under strace on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Identifies the processes of one run.
const MARK: &str = "PROCS_TEST_INJECTION";

fn example(name: &str) -> PathBuf {
    let mut path = env::current_exe().expect("this test has a file");
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

/// One run of a program with one error.
enum Run {
    /// No thread of it called the system call often enough.
    NotInjected,
    /// It ended as it may.
    Good,
    Bad(String),
}

fn run(program: &str, call: &str, error: &str, occurrence: u32) -> Run {
    let mark = format!(
        "{}-{program}-{call}-{error}-{occurrence}",
        std::process::id()
    );
    let log = env::temp_dir().join(format!("procs-injection-{mark}"));
    let trace = log.with_extension("trace");
    let stderr = fs::File::create(&log).expect("the folder exists");
    let child = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&trace)
        .arg(format!("--trace={call}"))
        .arg(format!("--inject={call}:error={error}:when={occurrence}"))
        .arg(example(program))
        .env(MARK, &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .process_group(0)
        .spawn()
        .expect("strace is installed");
    let status = end_of(child);
    let left = left_behind(&mark);
    let text = fs::read_to_string(&log).unwrap_or_default();
    let injected = fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("(INJECTED)"));
    let _ = (fs::remove_file(&log), fs::remove_file(&trace));
    left.iter().for_each(|pid| kill(*pid));
    match fault_of(status, &left, &text) {
        Some(fault) => Run::Bad(fault),
        None if injected => Run::Good,
        None => Run::NotInjected,
    }
}

/// What is wrong with a run; `None` when it ended as it may.
fn fault_of(status: Option<ExitStatus>, left: &[i32], text: &str) -> Option<String> {
    // Rust's runtime aborts when its own calls fail before `main`.
    let before_main = text.contains("fatal runtime error: initialization or cleanup bug");
    match status {
        None => Some("it hangs".to_owned()),
        Some(status) if is_crash(status) && !before_main => {
            Some(format!("it ended with {status}: {text}"))
        }
        Some(_) if text.contains("panicked at crates/procs/src") => Some(text.to_owned()),
        Some(_) if !left.is_empty() => Some(format!("it left {} processes: {text}", left.len())),
        Some(_) => None,
    }
}

/// How a run ended; `None` when it had to be killed.
fn end_of(mut child: Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// SIGABRT, SIGBUS, SIGSEGV: the library must not cause them.
fn is_crash(status: ExitStatus) -> bool {
    [libc::SIGABRT, libc::SIGBUS, libc::SIGSEGV]
        .iter()
        .any(|number| status.signal() == Some(*number) || status.code() == Some(128 + number))
}

/// The processes of a run that still live some seconds after its end.
fn left_behind(mark: &str) -> Vec<i32> {
    let needle = format!("{MARK}={mark}\0").into_bytes();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let entries = fs::read_dir("/proc").expect("/proc is mounted");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let left: Vec<i32> = pids
            .filter(|pid| {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environment
                    .windows(needle.len())
                    .any(|window| window == needle)
            })
            .collect();
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(pid: i32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
}

/// The program and call of a case are in the list that `PROCS_INJECT` holds, or it has none of their kind.
fn is_chosen(chosen: &[&str], program: &str, call: &str) -> bool {
    let (programs, calls): (Vec<_>, Vec<_>) =
        chosen.iter().partition(|word| PROGRAMS.contains(*word));
    let has = |words: &[&&str], word| words.is_empty() || words.iter().any(|other| **other == word);
    has(&programs, program) && has(&calls, call)
}

/// Injects an error at one occurrence after the other, as far as the program comes. Returns the faults.
fn inject(program: &str, call: &str, error: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for occurrence in OCCURRENCES {
        match run(program, call, error, *occurrence) {
            Run::NotInjected => break,
            Run::Good => {}
            Run::Bad(fault) => {
                let case = format!("{program}: {call} {occurrence} gives {error}");
                eprintln!("{case}: {fault}");
                faults.push(case);
            }
        }
    }
    faults
}

/// `PROCS_INJECT=process_pool,ppoll` runs the cases whose program and call are in the list only.
#[test]
#[ignore = "takes minutes and needs strace: just inject"]
fn an_error_of_any_system_call_ends_in_an_error() {
    let chosen = env::var("PROCS_INJECT").unwrap_or_default();
    let chosen: Vec<_> = chosen.split(',').filter(|word| !word.is_empty()).collect();
    let mut faults = Vec::new();
    for program in PROGRAMS {
        for (call, errors) in FAULTS {
            if is_chosen(&chosen, program, call) {
                let found = errors.iter().flat_map(|error| inject(program, call, error));
                faults.extend(found);
            }
        }
        eprintln!("{program}: done");
    }
    assert!(
        faults.is_empty(),
        "{} cases fail: {faults:#?}",
        faults.len()
    );
}
