//! What several test files need: a time limit, a look at processes, signals.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes on a loaded machine; a wait that reaches it has hung.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Waits until something is so; fails the test when it does not become so.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The fields of `/proc/PID/stat` from the state on, or `None` when there is no such process.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Whether a process exists and is not a zombie.
pub fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

/// Stops a process, as Ctrl-Z would, and waits until it stands still.
pub fn stop(pid: u32) {
    signal(pid, "STOP");
    eventually("it stands still", || {
        stat(pid).is_some_and(|fields| fields[0] == "T")
    });
}

/// Sends a signal by kill(1), as an operator would.
pub fn signal(pid: u32, name: &str) {
    let status = process::Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(
        status.expect("kill(1) exists").success(),
        "no process {pid} to signal"
    );
}

/// A folder of its own, removed with this value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("procs-{}-{}", process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the name is new");
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program that leaves a file when it has begun. Returns when the program has ended, by a kill for example.
#[procs::task]
pub fn run_program(mark: PathBuf) {
    let script = "touch \"$MARK\"; exec sleep 600";
    let program = procs::command("sh").args(["-c", script]);
    let _ = program.env("MARK", mark).run();
}

/// Makes a file, so that others know that it has begun, and never returns.
#[procs::task]
pub fn mark_and_sleep(mark: PathBuf) {
    fs::write(mark, "begun").expect("the folder is there");
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
