//! The fork server: replaced when it dies, and invisible otherwise.

use std::env;
use std::fs;
use std::process::{self, Command};

use procs::{Pool, Process, ProcessError, StartMethod};

use crate::surroundings::{COPY, Copy};
use crate::{LIMIT, double, eventually};

/// The fork server of this process, found by the name that it gives itself.
pub fn fork_server() -> Option<u32> {
    let processes = fs::read_dir("/proc").expect("/proc is there");
    let mut pids =
        processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.split_once(") ").is_some_and(|(head, rest)| {
            head.ends_with("(procs-forks")
                && rest.split(' ').nth(1) == Some(&process::id().to_string())
        })
    })
}

pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(status.expect("kill(1) exists").success());
}

fn double_in_process() {
    let mut process = procs::spawn(double, 4).expect("it starts");
    assert_eq!(process.join_for(LIMIT).expect("it returns"), 8);
}

pub fn killed() {
    procs::init();
    let pool = Pool::new(2).expect("it starts");
    let workers = pool.workers();
    for _ in 0..3 {
        let server = fork_server().expect("it lives");
        signal(server, "KILL");
        eventually("it has ended", LIMIT, || has_ended(server));
        double_in_process();
        assert_ne!(fork_server(), Some(server));
    }
    assert_eq!(
        pool.map_collect(double, 0..100).expect("they run").len(),
        100
    );
    assert_eq!(pool.workers(), workers, "the workers were not its children");
}

/// Whether a process is a zombie, or no more.
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// A server that does not answer costs one start its deadline, and is replaced then. What it has made in advance is used
/// before.
pub fn stopped() {
    procs::init();
    double_in_process();
    let server = fork_server().expect("it lives");
    signal(server, "STOP");
    double_in_process();
    double_in_process();
    assert_ne!(fork_server(), Some(server));
}

/// Names a file. While it exists, each new fork server ends at its first answer: after the clone of a process.
const ANSWERLESS: &str = "PROCS_TEST_ANSWERLESS";

/// Ends this process at its next `sendmsg`, which it makes for nothing but the answer to an order.
fn end_at_sendmsg() {
    let step = |code: u32, k: u32, jt, jf| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut steps = [
        // The number of the system call is the first word of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            libc::SYS_sendmsg as u32,
            0,
            1,
        ),
        step(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_KILL_PROCESS,
            0,
            0,
        ),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the pointer is to a filter of the length that is stated.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program)
    };
    assert_eq!(result, 0);
}

/// The child that a server has made and not reported is collected with the server.
pub fn ends_before_its_answer() {
    let is_server = env::var("PROCS_CHILD_OF").is_ok_and(|marker| marker.ends_with("forkserver"));
    let file = env::var_os(ANSWERLESS);
    if is_server
        && file
            .as_ref()
            .is_some_and(|file| fs::exists(file).is_ok_and(|is| is))
    {
        end_at_sendmsg();
    }
    procs::init();
    let file = env::temp_dir().join(format!("procs-answerless-{}", process::id()));
    // SAFETY: no other thread of this program uses the environment.
    unsafe { env::set_var(ANSWERLESS, &file) };
    for round in 0..3 {
        fs::write(&file, "").expect("the disk has room");
        if let Some(server) = fork_server() {
            signal(server, "KILL");
            eventually("it has ended", LIMIT, || has_ended(server));
        }
        procs::spawn(double, 4).expect_err("no server answers");
        assert_eq!(all_children(), [0_u32; 0], "round {round}");
        fs::remove_file(&file).expect("it exists");
        double_in_process();
    }
}

/// The children of this process, those that have ended and were not collected included.
fn all_children() -> Vec<u32> {
    let threads = fs::read_dir("/proc/self/task").expect("/proc is there");
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

pub fn surroundings() {
    #[procs::task]
    fn look() -> (Option<String>, Option<String>, String) {
        let directory = env::current_dir().expect("it has a directory");
        (
            env::var("NEW").ok(),
            env::var("PROCS_TEST_SCENARIO").ok(),
            directory.display().to_string(),
        )
    }
    /// How the fork server was linked is nobody else's business.
    #[procs::task]
    fn linked() -> Option<String> {
        env::var("LD_BIND_NOW").ok()
    }
    procs::init();
    double_in_process();
    let linking = procs::spawn(linked, ()).expect("it starts").join();
    assert_eq!(linking.expect("it returns"), env::var("LD_BIND_NOW").ok());
    env::set_current_dir("/").expect("it is there");
    let builder = Process::builder()
        .env("NEW", "1")
        .env_remove("PROCS_TEST_SCENARIO");
    let seen = builder
        .spawn(look, ())
        .expect("it starts")
        .join()
        .expect("it returns");
    assert_eq!(seen, (Some("1".to_owned()), None, "/".to_owned()));
    let seen = procs::spawn(look, ())
        .expect("it starts")
        .join()
        .expect("it returns");
    assert_eq!((seen.0, seen.2.as_str()), (None, "/"));
    assert!(seen.1.is_some());
    // A directory that does not exist is an error for either method, and harms nobody.
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder()
            .cwd("/does/not/exist")
            .start_method(method);
        let error = match builder.spawn(look, ()) {
            Ok(mut process) => process
                .join_for(LIMIT)
                .expect_err("it has no directory")
                .to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("No such file"), "{error}");
    }
    double_in_process();
}

pub fn methods() {
    #[procs::task]
    fn parents() -> (u32, Option<u32>) {
        (
            std::os::unix::process::parent_id(),
            procs::parent().map(|parent| parent.pid()),
        )
    }
    procs::init();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let mut process = Process::builder()
            .start_method(method)
            .spawn(parents, ())
            .expect("it starts");
        assert_eq!(
            process.join().expect("it returns"),
            (process::id(), Some(process::id()))
        );
        let pool = Pool::builder()
            .workers(2)
            .start_method(method)
            .build()
            .expect("it starts");
        assert_eq!(pool.map_collect(double, 0..50).expect("they run").len(), 50);
        drop(pool);
    }
    eventually("all have ended", LIMIT, || {
        procs::active_children().is_empty()
    });
}

/// After `setuid` new processes have the new user, and this program can kill them.
pub fn identity() {
    #[procs::task]
    fn user() -> u32 {
        // SAFETY: it takes nothing and returns an integer.
        unsafe { libc::getuid() }
    }
    #[procs::task]
    fn stay() {
        std::thread::sleep(LIMIT);
    }
    const NOBODY: u32 = 65534;
    procs::init();
    // SAFETY: it takes nothing and returns an integer.
    if unsafe { libc::getuid() } != 0 {
        println!("NOT CHECKED: only root can become another user");
        return;
    }
    if env::var_os(COPY).is_none() {
        // The program's own folder may be closed to others.
        let copy = Copy::new();
        let status = copy.command().status();
        assert!(status.expect("it starts").success());
        return;
    }
    let user_now = || procs::spawn(user, ()).expect("it starts").join();
    assert_eq!(user_now(), Ok(0));
    // SAFETY: the call takes an integer; the C library sets the user of all threads.
    assert_eq!(unsafe { libc::setuid(NOBODY) }, 0);
    assert_eq!(user_now(), Ok(NOBODY));
    let pool = Pool::new(1).expect("it starts");
    assert_eq!(pool.apply(user, ()), Ok(NOBODY));
    let mut process = procs::spawn(stay, ()).expect("it starts");
    process.kill().unwrap();
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Died { .. })
    ));
}

/// What the kernel hands on at a start.
#[procs::task]
fn inherited() -> Vec<String> {
    const NAMES: [&str; 5] = ["Umask:", "SigIgn:", "CapPrm:", "CapEff:", "Cpus_allowed:"];
    let status = fs::read_to_string("/proc/thread-self/status").expect("/proc is there");
    let lines = status
        .lines()
        .filter(|line| NAMES.iter().any(|name| line.starts_with(name)));
    let mut seen: Vec<_> = lines.map(str::to_owned).collect();
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) };
    assert_eq!(result, 0);
    seen.push(format!("{} {}", limit.rlim_cur, limit.rlim_max));
    // SAFETY: it takes integers and touches no memory.
    seen.push(unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }.to_string());
    seen
}

/// After each change here, new processes and workers have what this process has, and not what it had before.
pub fn inheritance() {
    /// A change, and what it is called.
    type Change = (&'static str, fn());
    procs::init();
    const CHANGES: [Change; 5] = [
        ("the mask of modes", || {
            // SAFETY: it takes an integer.
            unsafe { libc::umask(0o077) };
        }),
        ("an ignored signal", || {
            // SAFETY: SIG_IGN is a valid disposition.
            unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
        }),
        ("a limit", || {
            let limit = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: the pointer is to a live rlimit.
            unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
        }),
        ("the priority", || {
            // SAFETY: it takes integers.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 3) };
        }),
        ("a capability", || {
            const CAP_SYS_TIME: u32 = 25;
            let mut header = [0x2008_0522_u32, 0];
            let mut sets = [0_u32; 6];
            // SAFETY: version 3 of the header reads and writes two groups of three words.
            unsafe {
                libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr());
                sets[..3]
                    .iter_mut()
                    .for_each(|set| *set &= !(1 << CAP_SYS_TIME));
                libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr());
            }
        }),
    ];
    let seen = || procs::spawn(inherited, ()).expect("it starts").join();
    // Rust's runtime ignores SIGPIPE here, in processes too.
    assert_eq!(seen().expect("it returns"), inherited());
    for (name, change) in CHANGES {
        change();
        let here = inherited();
        assert_eq!(seen().expect("it returns"), here, "{name}");
        let pool = Pool::new(1).expect("it starts");
        assert_eq!(
            pool.apply(inherited, ()).expect("it returns"),
            here,
            "{name}"
        );
    }
}
