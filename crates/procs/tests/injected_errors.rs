//! System calls that fail at any place cost an error, never a hang, a crash, a panic of the library or a process left behind.
//!
//! Runs short programs under `strace -e inject`: roles of this file, and the examples. A program ends by itself, with the
//! right answer or an error. It takes minutes and needs strace, so it runs only when it is asked for: `just inject`.

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use procs::sync::Lock;
use procs::{Connection, Manager, Pool, Process, Queue, StartMethod};

/// A program: whether its answers are right.
type Program = fn() -> Result<bool, Box<dyn Error>>;

/// The programs of this file: one for each mechanism.
const ROLES: &[(&str, Program)] = &[
    ("fork_server", || start(StartMethod::ForkServer)),
    ("spawn", || start(StartMethod::Spawn)),
    ("map", map),
    ("queue_and_lock", queue_and_lock),
    ("manager", manager),
    ("large_message", large_message),
    ("command", run_command),
];

/// The examples.
const EXAMPLES: &[&str] = &[
    "process_hello",
    "process_pool",
    "process_pipe",
    "process_queue",
    "process_lock",
    "process_manager",
    "run_program",
];

/// Says which role this process, and every child of it, is to play.
const ROLE: &str = "PROCS_TEST_INJECTED_ROLE";

/// What a program with a wrong answer exits with.
const WRONG: u8 = 3;

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

fn start(method: StartMethod) -> Result<bool, Box<dyn Error>> {
    let mut process = Process::builder().start_method(method).spawn(square, 12)?;
    Ok(process.join()? == 144)
}

fn map() -> Result<bool, Box<dyn Error>> {
    let pool = Pool::new(2)?;
    let squares = pool.map_collect(square, 0..20)?;
    Ok(squares.iter().copied().eq((0..20).map(|n| n * n)))
}

#[procs::task]
fn put_under_lock(queue: Queue<u64>, lock: Lock) -> bool {
    (0..3).all(|n| lock.lock().is_ok_and(|_held| queue.put(&n).is_ok()))
}

fn queue_and_lock() -> Result<bool, Box<dyn Error>> {
    let (queue, lock) = (Queue::new(2)?, Lock::new()?);
    let mut process = procs::spawn(put_under_lock, (queue.clone(), lock))?;
    let mut numbers = Vec::new();
    // The process may end before it has put all.
    while numbers.len() < 3 {
        match queue.get_for(Duration::from_millis(20)) {
            Ok(n) => numbers.push(n),
            Err(_) if process.is_alive() => {}
            Err(_) => break,
        }
    }
    let all = process.join()?;
    for n in queue.try_iter() {
        numbers.push(n?);
    }
    let expected = numbers.iter().copied().eq(0..numbers.len() as u64);
    Ok(expected && (!all || numbers.len() == 3))
}

fn manager() -> Result<bool, Box<dyn Error>> {
    let manager = Manager::start()?;
    let list = manager.list::<u64>()?;
    list.push(&7)?;
    let dict = manager.dict::<String, u64>()?;
    dict.insert(&"a".to_owned(), &1)?;
    Ok(list.to_vec()? == [7] && dict.get(&"a".to_owned())? == Some(1))
}

/// More than the arena and the socket hold.
const LARGE: usize = 3 << 20;

#[procs::task]
fn send_back(connection: Connection<Vec<u8>>) -> bool {
    connection
        .receive()
        .is_ok_and(|bytes| connection.send(&bytes).is_ok())
}

fn large_message() -> Result<bool, Box<dyn Error>> {
    let (ours, theirs) = procs::channel()?;
    let mut process = procs::spawn(send_back, theirs)?;
    let message = vec![7_u8; LARGE];
    ours.send(&message)?;
    let answer = ours.receive()?;
    Ok(process.join()? && answer == message)
}

fn run_command() -> Result<bool, Box<dyn Error>> {
    let output = procs::command("cat").input("some text").run()?;
    Ok(!output.status().success() || output.stdout() == b"some text")
}

/// System calls, and the errors that the kernel documents for them.
///
/// `write` and `futex` are not interrupted here: the library calls them where Linux never returns EINTR (an eventfd with
/// room, FUTEX_WAKE).
const FAULTS: &[(&str, &[&str])] = &[
    ("ppoll", &["EINTR", "EAGAIN", "ENOMEM"]),
    ("poll", &["EINTR", "ENOMEM"]),
    ("waitid", &["EINTR"]),
    ("recvmsg", &["EINTR", "EAGAIN", "ENOMEM"]),
    ("recvfrom", &["EINTR", "EAGAIN", "ENOMEM"]),
    ("sendmsg", &["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM"]),
    ("sendto", &["EINTR", "EAGAIN", "ENOBUFS", "ENOMEM"]),
    ("accept4", &["EINTR", "EAGAIN", "EMFILE", "ENOMEM"]),
    ("connect", &["EINTR", "EAGAIN"]),
    ("socketpair", &["EMFILE", "ENOMEM"]),
    ("eventfd2", &["EMFILE", "ENOMEM"]),
    ("pipe2", &["EMFILE"]),
    ("memfd_create", &["EMFILE", "ENOMEM"]),
    ("ftruncate", &["EINTR", "ENOSPC"]),
    ("mmap", &["EAGAIN", "ENOMEM"]),
    ("pidfd_open", &["EMFILE", "ENOMEM"]),
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
    ("openat", &["EINTR", "EMFILE", "ENOMEM"]),
];

/// At which occurrences of a call its error is injected.
const OCCURRENCES: &[u32] = &[1, 2, 3, 4, 5, 6, 8, 10, 13, 21];

/// Longer than any of the programs takes under strace on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Identifies the processes of one run.
const MARK: &str = "PROCS_TEST_INJECTION";

/// The file of a program.
fn program_file(name: &str) -> PathBuf {
    let mut path = env::current_exe().expect("this test has a file");
    if is_role(name) {
        return path;
    }
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

fn is_role(name: &str) -> bool {
    ROLES.iter().any(|(role, _)| *role == name)
}

fn programs() -> impl Iterator<Item = &'static str> {
    let roles = ROLES.iter().map(|(name, _)| *name);
    roles.chain(EXAMPLES.iter().copied())
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
        .arg(program_file(program))
        .env(MARK, &mark)
        .env(ROLE, program)
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
    match fault_of(call, status, &left, &text) {
        Some(fault) => Run::Bad(fault),
        None if injected => Run::Good,
        None => Run::NotInjected,
    }
}

/// What is wrong with a run; `None` when it ended as it may.
fn fault_of(call: &str, status: Option<ExitStatus>, left: &[i32], text: &str) -> Option<String> {
    match status {
        None => Some(format!("it hangs: {text}")),
        Some(status) if is_crash(status) && !is_outside(call, text) => {
            Some(format!("it ended with {status}: {text}"))
        }
        Some(status) if status.code() == Some(i32::from(WRONG)) => {
            Some(format!("its answer is wrong: {text}"))
        }
        Some(_) if text.contains("panicked at crates/procs/src") => Some(text.to_owned()),
        Some(_) if !left.is_empty() => Some(format!("it left {} processes: {text}", left.len())),
        Some(_) => None,
    }
}

/// Whether it was not this crate that crashed. Rust's runtime aborts when its own calls fail before `main` or before a
/// thread's function. The loader of programs crashes without a word when it gets no memory.
fn is_outside(call: &str, text: &str) -> bool {
    (call == "mmap" && text.is_empty())
        || text.contains("fatal runtime error: initialization or cleanup bug")
        || text.contains("failed to allocate an alternative stack")
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
    let (programs, calls): (Vec<_>, Vec<_>) = chosen
        .iter()
        .partition(|word| programs().any(|program| program == **word));
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

/// `PROCS_INJECT=map,ppoll` runs the cases whose program and call are in the list only.
fn inject_all() -> Vec<String> {
    let chosen = env::var("PROCS_INJECT").unwrap_or_default();
    let chosen: Vec<_> = chosen.split(',').filter(|word| !word.is_empty()).collect();
    let mut faults = Vec::new();
    for program in programs() {
        for (call, errors) in FAULTS {
            if is_chosen(&chosen, program, call) {
                let found = errors.iter().flat_map(|error| inject(program, call, error));
                faults.extend(found);
            }
        }
        eprintln!("{program}: done");
    }
    faults
}

/// Plays a role. Its code tells a wrong answer from an error.
fn play(role: Program) -> ExitCode {
    match role() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(WRONG),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[procs::main]
fn main() -> ExitCode {
    let role = env::var(ROLE).unwrap_or_default();
    if let Some((_, role)) = ROLES.iter().find(|(name, _)| *name == role) {
        return play(*role);
    }
    if !env::args().any(|argument| argument == "--ignored") {
        println!("ignored: takes minutes and needs strace: just inject");
        return ExitCode::SUCCESS;
    }
    let faults = inject_all();
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{} cases fail: {faults:#?}", faults.len());
    ExitCode::FAILURE
}
