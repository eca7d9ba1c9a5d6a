//! However a program ends, none of its processes lives on.
//!
//! In each scenario a victim process, this program once more, starts processes, writes their ids to a file and is
//! killed, or exits. Then all of them must be gone within a second.

use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use procs::Pool;

use crate::{LIMIT, SCENARIO, eventually};

/// Holds the path of the victim's file.
const VICTIM: &str = "PROCS_TEST_VICTIM";

/// How long anything may live on.
const SECOND: Duration = Duration::from_secs(1);

/// Works for ever, in a loop that makes no system call.
#[procs::task]
fn be_busy(folder: PathBuf) {
    note(&folder);
    loop {
        std::hint::spin_loop();
    }
}

/// Has a process and a pool of its own.
#[procs::task]
fn have_children(folder: PathBuf) {
    note(&folder);
    let _process = procs::spawn(be_busy, folder.clone()).expect("it starts");
    let pool = Pool::new(1).expect("it starts");
    pool.apply(be_busy, folder).expect("it never returns");
}

/// Leaves this process's id as the name of a file.
fn note(folder: &Path) {
    fs::write(folder.join(process::id().to_string()), "").expect("the folder is there");
}

/// How a victim ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is killed.
    Killed,
    /// It leaves `main` by itself.
    Returned,
}

impl End {
    /// Ends the victim in this way and collects it. A victim that ended in another way, such as by a panic, fails the
    /// scenario.
    pub fn expect(self, victim: &mut process::Child) {
        if self == Self::Killed {
            victim.kill().expect("it is our child");
        }
        let status = victim.wait().expect("it is our child");
        let as_expected = match self {
            Self::Killed => status.signal() == Some(libc::SIGKILL),
            Self::Returned => status.success(),
        };
        assert!(as_expected, "the victim ended otherwise: {status}");
    }
}

/// Plays the victim, or starts it, waits for its `count` processes, has it end, and looks whether all are gone.
pub fn scenario(count: usize, play: fn(PathBuf), end: End) {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        return play(folder.into());
    }
    let folder = env::temp_dir().join(format!("procs-victim-{}", process::id()));
    fs::create_dir(&folder).expect("the name is new");
    let program = env::current_exe().expect("this program has a file");
    let scenario = env::var_os(SCENARIO).expect("a scenario is played");
    let mut victim = Command::new(program)
        .env(SCENARIO, scenario)
        .env(VICTIM, &folder)
        .spawn()
        .expect("the victim starts");
    let pids = || -> Vec<u32> {
        let files = fs::read_dir(&folder).expect("the folder is there");
        files
            .filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok())
            .collect()
    };
    eventually("all processes have begun", LIMIT, || pids().len() == count);
    end.expect(&mut victim);
    let pids = pids();
    eventually("every process is gone", SECOND, || {
        pids.iter().all(|pid| !is_running(*pid))
    });
    fs::remove_dir_all(&folder).expect("the folder is there");
}

/// Whether a process exists and is not a zombie: those are for a new parent to collect.
pub fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.starts_with(" Z") && !rest.starts_with(" X"))
}

pub fn pool() {
    scenario(
        3,
        |folder| {
            let pool = Pool::new(3).expect("it starts");
            let _ = pool.map_collect(be_busy, [folder.clone(), folder.clone(), folder]);
        },
        End::Killed,
    );
}

pub fn nested() {
    scenario(
        6,
        |folder| {
            // The threads that start them end at once.
            let start = |folder: PathBuf| {
                move || drop(procs::spawn(have_children, folder).expect("it starts"))
            };
            thread::spawn(start(folder.clone()))
                .join()
                .expect("it ends");
            thread::spawn(start(folder)).join().expect("it ends");
            thread::sleep(LIMIT);
        },
        End::Killed,
    );
}

/// The victim leaves its main function by itself, while its processes work.
pub fn detached() {
    scenario(
        1,
        |folder| {
            drop(procs::spawn(be_busy, folder.clone()).expect("it starts"));
            eventually("it has begun", LIMIT, || {
                fs::read_dir(&folder).is_ok_and(|files| files.count() > 0)
            });
            thread::sleep(Duration::from_millis(50));
        },
        End::Returned,
    );
}

/// The living processes that have the victim's folder in their environment: the victim and all its descendants.
fn marked_with(folder: &Path) -> Vec<u32> {
    let mark = folder.as_os_str().as_encoded_bytes();
    let processes = fs::read_dir("/proc").expect("/proc is there");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        *pid != process::id()
            && is_running(*pid)
            && environment.windows(mark.len()).any(|part| part == mark)
    })
    .collect()
}

/// Starts whatever the crate can start, over and over.
fn start_everything(folder: &Path) {
    for round in 0_u64.. {
        let queue = procs::Queue::<Vec<u8>>::new(10).expect("there is memory");
        let array = procs::SharedArray::<u64>::new(100_000).expect("there is memory");
        array.set(0, round);
        let writer = procs::spawn(write_for_ever, queue.clone()).expect("it starts");
        let builder = Pool::builder().workers(2);
        let pool = builder
            .initializer(hold, (queue.clone(), array))
            .build()
            .expect("it starts");
        let results = pool.map_collect(crate::double, 0..200).expect("they run");
        assert_eq!(results.len(), 200);
        let nested = procs::spawn(have_children, folder.to_owned()).expect("it starts");
        let _ = queue.get_for(Duration::from_millis(5));
        nested.kill().unwrap();
        writer.kill().unwrap();
    }
}

#[procs::task]
fn write_for_ever(queue: procs::Queue<Vec<u8>>) {
    while queue.put(&vec![1; 100_000]).is_ok() {}
}

/// The worker has the queue and the memory as long as it lives.
#[procs::task]
fn hold(queue: procs::Queue<Vec<u8>>, array: procs::SharedArray<u64>) {
    std::mem::forget((queue, array));
}

/// Folders for a victim: one that is in the environment of all its processes, and one for temporary files.
struct Places {
    marks: PathBuf,
    temporary: PathBuf,
}

impl Places {
    fn new(number: u32) -> Self {
        let name = format!("procs-victim-{}-{number}", process::id());
        let marks = env::temp_dir().join(name);
        let temporary = marks.join("temporary");
        fs::create_dir_all(&temporary).expect("the name is new");
        Self { marks, temporary }
    }

    fn set_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let scenario = env::var_os(SCENARIO).expect("a scenario is played");
        command
            .env(SCENARIO, scenario)
            .env(VICTIM, &self.marks)
            .env("TMPDIR", &self.temporary)
    }

    /// After the victim's death nothing of it is left, within a second.
    fn expect_nothing_left(self) {
        eventually("every process is gone", SECOND, || {
            marked_with(&self.marks).is_empty()
        });
        let files = |folder: &Path| fs::read_dir(folder).expect("it is there").count();
        assert_eq!(files(&self.temporary), 0, "temporary files are left");
        let shared = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        let ours = shared.filter(|file| file.file_name().to_string_lossy().contains("procs"));
        assert_eq!(ours.count(), 0, "named shared memory is left");
        fs::remove_dir_all(&self.marks).expect("the folder is there");
    }
}

/// The victim is killed at any point of starting, working and ending.
pub fn random() {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        return start_everything(Path::new(&folder));
    }
    let program = env::current_exe().expect("this program has a file");
    for round in 0..300 / crate::PART {
        let places = Places::new(round);
        let mut victim = Command::new(&program);
        let mut victim = places
            .set_in(&mut victim)
            .spawn()
            .expect("the victim starts");
        // From before its first process to some rounds of them.
        let delay = u64::from(round).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 47;
        thread::sleep(Duration::from_micros(delay));
        End::Killed.expect(&mut victim);
        places.expect_nothing_left();
    }
}

/// A program that is the first of a container has the process id 1, which others take for "the parent has gone". Where the
/// system lets nobody make a namespace, this shows that it is so.
pub fn first_process() {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        assert_eq!(process::id(), 1);
        return start_everything(Path::new(&folder));
    }
    // SAFETY: it takes nothing and returns an integer.
    let options: &[_] = if unsafe { libc::geteuid() } == 0 {
        &["--pid", "--fork", "--mount-proc"]
    } else {
        &[
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--mount-proc",
        ]
    };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(options);
        command
    };
    let tried = unshare().arg("true").output().expect("unshare(1) exists");
    if !tried.status.success() {
        let reason = String::from_utf8_lossy(&tried.stderr).into_owned();
        println!("no process can be the first of a namespace here: {reason}");
        assert!(
            ["not permitted", "No space left", "Invalid argument"]
                .iter()
                .any(|known| reason.contains(known)),
            "not the system forbids it, but: {reason}"
        );
        return;
    }
    let program = env::current_exe().expect("this program has a file");
    for round in 1000..1005 {
        let places = Places::new(round);
        let mut victim = unshare();
        let mut outside = places
            .set_in(victim.arg(&program))
            .spawn()
            .expect("the victim starts");
        let first = || {
            let mut pids = marked_with(&places.marks).into_iter();
            pids.find(|pid| {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let inner = status.lines().find(|line| line.starts_with("NSpid:"));
                inner.is_some_and(|line| {
                    line.split_whitespace().count() == 3 && line.ends_with("\t1")
                })
            })
        };
        eventually("its grandchildren have begun", LIMIT, || {
            fs::read_dir(&places.marks).expect("it is there").count() > 3
        });
        let first = first().expect("it lives");
        let status = Command::new("kill")
            .args(["-KILL", &first.to_string()])
            .status();
        assert!(status.expect("kill(1) exists").success());
        outside.wait().expect("it is our child");
        places.expect_nothing_left();
    }
}
