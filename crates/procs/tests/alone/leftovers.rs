//! What a task starts, by whatever means, ends with the process that runs the task.

use std::env;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use procs::{JobError, Pool, command};
use serde::{Deserialize, Serialize};

use crate::orphans::{End, is_running};
use crate::{LIMIT, SCENARIO, eventually};

/// Holds the folder of a program that is to be ended.
const VICTIM: &str = "PROCS_TEST_LEFTOVERS";

/// A way in which a task starts a process that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Means {
    Command,
    ProcsCommand,
    Fork,
    DoubleFork,
    Session,
}

const ALL: [Means; 5] = [
    Means::Command,
    Means::ProcsCommand,
    Means::Fork,
    Means::DoubleFork,
    Means::Session,
];

/// Starts a process that leaves its id in the folder and sleeps.
fn start(means: Means, folder: &Path) {
    let sleep = format!("touch '{}'/$$; exec sleep 600", folder.display());
    match means {
        Means::Command => drop(Command::new("sh").args(["-c", &sleep]).spawn()),
        Means::ProcsCommand => drop(thread::spawn(move || {
            procs::command("sh").args(["-c", &sleep]).run()
        })),
        Means::Fork => {
            // SAFETY: the copy calls nothing but pause, which is async-signal-safe.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                loop {
                    // SAFETY: it takes nothing and touches no memory.
                    unsafe { libc::pause() };
                }
            }
            fs::write(folder.join(pid.to_string()), "").expect("the folder exists");
        }
        Means::DoubleFork => {
            let twice = format!("(sh -c \"{}\" &)", sleep.replace('$', "\\$"));
            let status = Command::new("sh").args(["-c", &twice]).status();
            assert!(status.expect("sh exists").success());
        }
        Means::Session => drop(Command::new("setsid").args(["sh", "-c", &sleep]).spawn()),
    }
    let begun = || fs::read_dir(folder).is_ok_and(|files| files.count() > 0);
    eventually("it has begun", LIMIT, begun);
}

#[procs::task]
fn leave(means: Means, folder: PathBuf) {
    start(means, &folder);
}

#[procs::task]
fn leave_and_stay(means: Means, folder: PathBuf) {
    start(means, &folder);
    thread::sleep(LIMIT);
}

fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("procs-leftovers-{}-{name}", process::id()));
    fs::create_dir(&folder).expect("the name is new");
    folder
}

fn pids(folder: &Path) -> Vec<u32> {
    let files = fs::read_dir(folder).expect("the folder exists");
    files
        .filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

fn expect_nothing_left(case: &str, folder: &Path) {
    let pids = pids(folder);
    assert!(!pids.is_empty(), "{case}");
    eventually(case, Duration::from_secs(10), || {
        pids.iter().all(|pid| !is_running(*pid))
    });
    fs::remove_dir_all(folder).expect("the folder exists");
}

pub fn of_a_task_that_returned() {
    procs::init();
    for means in ALL {
        let case = format!("{means:?}-returned");
        let folder = folder(&case);
        let mut process = procs::spawn(leave, (means, folder.clone())).expect("it starts");
        process.join_for(LIMIT).expect("it returns");
        expect_nothing_left(&case, &folder);
    }
}

pub fn of_a_killed_process() {
    procs::init();
    for means in ALL {
        let case = format!("{means:?}-killed");
        let folder = folder(&case);
        let process = procs::spawn(leave_and_stay, (means, folder.clone())).expect("it starts");
        eventually("it has begun", LIMIT, || !pids(&folder).is_empty());
        process.kill().unwrap();
        expect_nothing_left(&case, &folder);
    }
}

pub fn of_a_task_that_timed_out() {
    procs::init();
    for means in ALL {
        let case = format!("{means:?}-timed-out");
        let folder = folder(&case);
        let builder = Pool::builder().workers(1);
        let pool = builder.task_timeout(Duration::from_secs(2)).build();
        let pool = pool.expect("it starts");
        let error = pool.apply(leave_and_stay, (means, folder.clone()));
        assert!(
            matches!(error, Err(JobError::TaskTimedOut { .. })),
            "{error:?}"
        );
        expect_nothing_left(&case, &folder);
    }
}

pub fn of_a_dropped_pool() {
    procs::init();
    for means in ALL {
        let case = format!("{means:?}-dropped");
        let folder = folder(&case);
        let pool = Pool::new(1).expect("it starts");
        pool.apply(leave, (means, folder.clone()))
            .expect("it returns");
        assert!(
            pids(&folder).iter().all(|pid| is_running(*pid)),
            "a worker keeps what its tasks leave"
        );
        drop(pool);
        expect_nothing_left(&case, &folder);
    }
}

/// A process in a session of its own is out of reach when its worker is killed by others: see the crate's limits.
pub fn of_a_worker_killed_by_others() {
    procs::init();
    for means in ALL {
        if means == Means::Session {
            continue;
        }
        let case = format!("{means:?}-worker-killed");
        let folder = folder(&case);
        let pool = Pool::new(1).expect("it starts");
        let job = pool.submit(leave_and_stay, (means, folder.clone()));
        eventually("it has begun", LIMIT, || !pids(&folder).is_empty());
        crate::fork_server::signal(pool.workers()[0].pid(), "KILL");
        assert!(matches!(job.result(), Err(JobError::WorkerDied { .. })));
        expect_nothing_left(&case, &folder);
    }
}

pub fn of_a_program_that_exits() {
    of_a_program(false);
}

pub fn of_a_program_that_is_killed() {
    of_a_program(true);
}

/// Starts this program once more, as the one that is to be ended.
fn start_victim(folder: &Path) -> process::Child {
    Command::new(env::current_exe().expect("this program has a file"))
        .env(
            SCENARIO,
            env::var_os(SCENARIO).expect("a scenario is played"),
        )
        .env(VICTIM, folder)
        .spawn()
        .expect("it starts")
}

fn of_a_program(is_killed: bool) {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        return play_victim(Path::new(&folder), is_killed);
    }
    let folder = folder(if is_killed { "killed" } else { "exited" });
    let mut victim = start_victim(&folder);
    let parts = || ALL.map(|means| folder.join(format!("{means:?}")));
    eventually("all have begun", LIMIT, || {
        parts()
            .iter()
            .all(|part| part.exists() && !pids(part).is_empty())
    });
    if is_killed {
        End::Killed.expect(&mut victim);
    } else {
        fs::write(folder.join("exit"), "").expect("the folder exists");
        End::Returned.expect(&mut victim);
    }
    for part in parts() {
        expect_nothing_left(&part.display().to_string(), &part);
    }
    fs::remove_dir_all(&folder).expect("the folder exists");
}

/// What a `command` of the main program has started ends with a killed program, wherever it went.
pub fn of_a_programs_command() {
    procs::init();
    const WAYS: [(&str, &str); 3] = [
        ("child", "sh -c \"$0\" &"),
        ("session", "setsid sh -c \"$0\" &"),
        ("double-fork", "(setsid sh -c \"$0\" &) &"),
    ];
    if let Some(folder) = env::var_os(VICTIM) {
        for (name, way) in WAYS {
            let part = Path::new(&folder).join(name);
            fs::create_dir(&part).expect("the name is new");
            let sleep = format!("touch '{}'/$$; exec sleep 600", part.display());
            thread::spawn(move || {
                let script = format!("{way} sleep 600");
                command("sh").args(["-c", &script, &sleep]).run()
            });
        }
        thread::sleep(LIMIT);
        return;
    }
    let folder = folder("command");
    let mut victim = start_victim(&folder);
    let parts = || WAYS.map(|(name, _)| folder.join(name));
    eventually("all have begun", LIMIT, || {
        parts()
            .iter()
            .all(|part| part.exists() && !pids(part).is_empty())
    });
    End::Killed.expect(&mut victim);
    for part in parts() {
        expect_nothing_left(&part.display().to_string(), &part);
    }
    fs::remove_dir_all(&folder).expect("the folder exists");
}

/// A fork server that does not answer is replaced, and still ends the programs that were started before.
pub fn of_a_programs_command_after_a_stop() {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        let sleep = format!(
            "touch '{}'/$$; exec sleep 600",
            Path::new(&folder).display()
        );
        thread::spawn(move || {
            let script = "setsid sh -c \"$0\" & sleep 600";
            command("sh").args(["-c", script, &sleep]).run()
        });
        eventually("it has begun", LIMIT, || {
            !pids(Path::new(&folder)).is_empty()
        });
        let server = crate::fork_server::fork_server().expect("it lives");
        crate::fork_server::signal(server, "STOP");
        // The first start has the spare, the second a new server.
        for _ in 0..2 {
            let mut process = procs::spawn(crate::double, 3).expect("it starts");
            assert_eq!(process.join_for(LIMIT), Ok(6));
        }
        // It is gone if it was killed instead.
        let _ = Command::new("kill")
            .args(["-CONT", &server.to_string()])
            .status();
        fs::write(Path::new(&folder).with_extension("ready"), "").expect("the disk has room");
        thread::sleep(LIMIT);
        return;
    }
    let folder = folder("stopped");
    let ready = folder.with_extension("ready");
    let mut victim = start_victim(&folder);
    eventually("the server is replaced", LIMIT, || ready.exists());
    End::Killed.expect(&mut victim);
    fs::remove_file(ready).expect("it exists");
    expect_nothing_left("stopped", &folder);
}

/// A forked copy of the program has its sockets. Processes and programs end all the same when the program does.
pub fn of_a_program_with_a_copy() {
    procs::init();
    if let Some(folder) = env::var_os(VICTIM) {
        let folder = PathBuf::from(folder);
        let pool = Pool::new(1).expect("it starts");
        let _job = pool.submit(leave_and_stay, (Means::Command, folder.clone()));
        let _process = procs::spawn(leave_and_stay, (Means::Session, folder.clone()));
        let sleep = format!("touch '{}'/$$; exec sleep 600", folder.display());
        thread::spawn(move || command("sh").args(["-c", &sleep]).run());
        eventually("all have begun", LIMIT, || pids(&folder).len() == 3);
        // SAFETY: the copy calls nothing but pause, which is async-signal-safe.
        let copy = unsafe { libc::fork() };
        if copy == 0 {
            loop {
                // SAFETY: it takes nothing and touches no memory.
                unsafe { libc::pause() };
            }
        }
        fs::write(folder.with_extension("copy"), copy.to_string()).expect("the disk has room");
        thread::sleep(LIMIT);
        return;
    }
    let folder = folder("copied");
    let file = folder.with_extension("copy");
    let mut victim = start_victim(&folder);
    let copy = || fs::read_to_string(&file).ok()?.parse::<u32>().ok();
    eventually("it has a copy", LIMIT, || copy().is_some());
    End::Killed.expect(&mut victim);
    expect_nothing_left("copied", &folder);
    crate::fork_server::signal(copy().expect("it was written"), "KILL");
    fs::remove_file(file).expect("it exists");
}

/// Has a worker and a process that leave something by each means, and exits when it is told to.
fn play_victim(folder: &Path, is_killed: bool) {
    let pool = Pool::new(1).expect("it starts");
    for (index, means) in ALL.into_iter().enumerate() {
        let part = folder.join(format!("{means:?}"));
        fs::create_dir(&part).expect("the name is new");
        if index % 2 == 0 {
            pool.apply(leave, (means, part)).expect("it returns");
        } else {
            drop(procs::spawn(leave_and_stay, (means, part)).expect("it starts"));
        }
    }
    eventually("the end", LIMIT, || {
        !is_killed && folder.join("exit").exists()
    });
    // Without destructors.
    process::exit(0);
}

/// Readable means ended: the handle agrees with its descriptor.
pub fn a_readable_descriptor_means_ended() {
    procs::init();
    for _ in 0..150 {
        let mut process = procs::spawn(crate::double, 3).expect("it starts");
        let mut polled = [libc::pollfd {
            fd: std::os::fd::AsRawFd::as_raw_fd(&process.as_fd()),
            events: libc::POLLIN,
            revents: 0,
        }];
        // SAFETY: the pointer is to one live entry.
        assert_eq!(unsafe { libc::poll(polled.as_mut_ptr(), 1, -1) }, 1);
        assert!(!process.is_alive());
        assert_eq!(process.try_join().expect("it has ended"), Ok(6));
    }
}

/// A pipe whose other end this program has closed ends, although processes were started meanwhile.
pub fn descriptors_do_not_leak() {
    #[procs::task]
    fn is_open(descriptor: i32) -> bool {
        // SAFETY: F_GETFD takes an integer and touches no memory.
        unsafe { libc::fcntl(descriptor, libc::F_GETFD) >= 0 }
    }
    procs::init();
    // Not above the few that a child opens itself.
    const NUMBER: i32 = 77;
    let mut ends = [-1; 2];
    // SAFETY: the pointer is to two live integers. The descriptors are not closed by execve.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: dup2 takes two integers, and the second is used by nothing else.
    assert_eq!(unsafe { libc::dup2(ends[1], NUMBER) }, NUMBER);
    for method in [procs::StartMethod::ForkServer, procs::StartMethod::Spawn] {
        let builder = procs::Process::builder().start_method(method);
        let mut process = builder.spawn(is_open, NUMBER).expect("it starts");
        assert_eq!(process.join_for(LIMIT), Ok(false), "{method:?}");
    }
    let pool = Pool::new(1).expect("it starts");
    assert_eq!(pool.apply(is_open, NUMBER), Ok(false));
    // SAFETY: both are this function's.
    unsafe {
        libc::close(NUMBER);
        libc::close(ends[1]);
    }
    let mut byte = 0_u8;
    // SAFETY: the pointer is to one live byte.
    let count = unsafe { libc::read(ends[0], (&raw mut byte).cast(), 1) };
    assert_eq!(count, 0, "a child holds the other end");
}
