//! What a program meets outside: its file is replaced while it runs, and its threads are busy when it starts a process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hint::black_box;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use procs::sync::Event;
use procs::{
    InvalidOption, JobError, Pool, Process, ProcessError, ProcessGroup, SendError, SharedMemory,
    Shutdown, SpawnError, StartMethod,
};

use crate::{LIMIT, SCENARIO, double};

/// Set in a program that this one has started as a user would.
pub const COPY: &str = "PROCS_TEST_COPY";

/// A copy of this program that every user may run, in a folder of its own, which goes with this value.
pub struct Copy(PathBuf);

impl Copy {
    pub fn new() -> Self {
        let folder = env::temp_dir().join(format!("procs-copy-{}", process::id()));
        fs::create_dir(&folder).expect("the name is new");
        let program = env::current_exe().expect("this program has a file");
        let copy = Self(folder);
        fs::copy(program, copy.program()).expect("there is room");
        copy
    }

    pub fn program(&self) -> PathBuf {
        self.0.join("program")
    }

    /// The copy, to play the scenario that is played here.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        let scenario = env::var_os(SCENARIO).expect("a scenario is played");
        command.env(SCENARIO, scenario).env(COPY, self.program());
        command
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Each of the ways to start something works.
fn starts_work() {
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        let mut process = builder.spawn(double, 4).expect("it starts");
        assert_eq!(process.join_for(LIMIT).expect("it returns"), 8);
        let builder = Pool::builder().workers(1).start_method(method);
        let pool = builder.build().expect("it starts");
        assert_eq!(pool.apply(double, 5).expect("it runs"), 10);
    }
}

/// New processes run the file with which the program was started, as long as it runs, and not what has its name now.
pub fn replaced() {
    procs::init();
    let Some(program) = env::var_os(COPY) else {
        let copy = Copy::new();
        let status = copy.command().status().expect("it starts");
        return assert!(status.success());
    };
    let program = Path::new(&program);
    fs::remove_file(program).expect("the file is there");
    starts_work();
    fs::write(program, "#!/bin/false\n").expect("the folder is there");
    starts_work();
    let other = program.with_extension("other");
    fs::copy("/bin/true", &other).expect("there is room");
    fs::rename(other, program).expect("the folder is there");
    starts_work();
}

/// Threads that always hold the allocator's lock, or the output's, at some point: a copied process would never get it.
pub fn busy_threads() {
    procs::init();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..16 {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    let pieces: Vec<_> = (0..50).map(|size| vec![1_u8; size * number]).collect();
                    black_box(pieces);
                    let _held = std::io::stdout().lock();
                }
            });
        }
        for _ in 0..5 {
            starts_work();
        }
        done.store(true, Relaxed);
    });
}

/// Names that the environment cannot hold are errors for both start methods, and an inherited one breaks no start.
pub fn odd_variables() {
    procs::init();
    if env::var_os("PROCS_TEST_ODD").is_none() {
        let program = env::current_exe().expect("this program has a file");
        // env(1) passes on an entry whose name begins with `=`, as some shells and wrappers do.
        let status = std::process::Command::new("env")
            .args(["=C:=C:/", "PROCS_TEST_ODD=1"])
            .arg(program)
            .status();
        assert!(status.expect("env(1) exists").success());
        return;
    }
    // SAFETY: no other thread of this program uses the environment.
    unsafe { env::set_var("PROCS_TEST_CHANGED", "1") };
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        let mut process = builder.spawn(double, 4).expect("it starts");
        assert_eq!(process.join_for(LIMIT).expect("it returns"), 8);
        for name in ["", "A=B", "=A", "A\0B"] {
            for builder in [
                builder.clone().env(name, "x"),
                builder.clone().env_remove(name),
            ] {
                let error = builder.spawn(double, 4).expect_err("it cannot be set");
                assert!(
                    matches!(&error, SpawnError::Invalid(InvalidOption::EnvironmentName(key)) if key == name),
                    "{error:?}"
                );
            }
        }
        let error = builder.clone().env("A", "x\0y").spawn(double, 4);
        assert!(matches!(
            error,
            Err(SpawnError::Invalid(InvalidOption::EnvironmentValue(_)))
        ));
        let error = builder.clone().cwd("/a\0b").spawn(double, 4);
        assert!(matches!(
            error,
            Err(SpawnError::Invalid(InvalidOption::WorkingDirectory(_)))
        ));
    }
}

#[procs::task]
fn arguments_here() -> Vec<Vec<u8>> {
    env::args_os().map(OsString::into_vec).collect()
}

/// Processes and workers see the arguments of the program, as Python's see `sys.argv`: also those that are no text.
pub fn arguments() {
    const ODD: [&[u8]; 4] = [b"--flag=1", b"", b"\xff\xfe/\x80", "ü ".as_bytes()];
    procs::init();
    let here: Vec<_> = env::args_os().map(OsString::into_vec).collect();
    if here.len() != ODD.len() + 1 {
        let program = env::current_exe().expect("this program has a file");
        let status = std::process::Command::new(program)
            .args(ODD.map(OsStr::from_bytes))
            .status();
        assert!(status.expect("it starts").success());
        return;
    }
    assert_eq!(here[1..], ODD);
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        let mut process = builder.spawn(arguments_here, ()).expect("it starts");
        assert_eq!(process.join_for(LIMIT).as_ref(), Ok(&here), "{method:?}");
        let builder = Pool::builder().workers(1).start_method(method);
        let pool = builder.build().expect("it starts");
        assert_eq!(pool.apply(arguments_here, ()).as_ref(), Ok(&here));
    }
}

/// Ctrl-C goes to the group of the program, which decides what its processes do then.
pub fn terminal() {
    procs::init();
    // SAFETY: the call takes integers; this process heads a group of its own from here on.
    assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
    let pool = Pool::new(2).expect("it starts");
    let workers = pool.workers();
    let (begun, goes) = (Event::new().unwrap(), Event::new().unwrap());
    let methods = [StartMethod::ForkServer, StartMethod::Spawn];
    let processes = methods.map(|method| {
        let builder = Process::builder().start_method(method);
        let arguments = (begun.clone(), goes.clone());
        let process = builder.spawn(wait_for_event, arguments).expect("it starts");
        begun.wait_for(LIMIT).unwrap();
        begun.clear();
        process
    });
    // SAFETY: SIG_IGN is a valid disposition: the program outlives its own signal.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    // SAFETY: the call takes integers; zero is the group of this process.
    assert_eq!(unsafe { libc::kill(0, libc::SIGINT) }, 0);
    goes.set();
    for mut process in processes {
        assert_eq!(process.join_for(LIMIT), Ok(()));
    }
    assert_eq!(pool.map_collect(double, 0..10).expect("they run").len(), 10);
    assert_eq!(pool.workers(), workers);
}

#[procs::task]
fn wait_for_event(begun: Event, goes: Event) {
    begun.set();
    goes.wait_for(LIMIT).unwrap();
}

/// With `ProcessGroup::Inherit` processes and workers have the group that the program has at the start, also in a session that
/// is younger than the fork server.
pub fn group_inherited() {
    #[procs::task]
    fn group() -> i32 {
        // SAFETY: it takes nothing and returns an integer.
        unsafe { libc::getpgrp() }
    }
    #[procs::task]
    fn is_leader() -> bool {
        group().cast_unsigned() == process::id()
    }
    procs::init();
    let check = || {
        for method in [StartMethod::ForkServer, StartMethod::Spawn] {
            let builder = Process::builder().start_method(method);
            let mut process = builder.spawn(is_leader, ()).expect("it starts");
            assert_eq!(process.join_for(LIMIT), Ok(true));
            let builder = builder.process_group(ProcessGroup::Inherit);
            let mut process = builder.spawn(group, ()).expect("it starts");
            assert_eq!(process.join_for(LIMIT), Ok(group()), "{method:?}");
            let builder = Pool::builder().workers(1).start_method(method);
            let builder = builder.process_group(ProcessGroup::Inherit);
            let pool = builder.build().expect("it starts");
            assert_eq!(pool.apply(group, ()), Ok(group()), "{method:?}");
        }
    };
    check();
    // SAFETY: it takes nothing; this process leads no group yet.
    assert!(unsafe { libc::setsid() } > 0);
    check();
    let (begun, goes) = (Event::new().unwrap(), Event::new().unwrap());
    let builder = Process::builder().process_group(ProcessGroup::Inherit);
    let mut process = builder
        .spawn(wait_for_event, (begun.clone(), goes))
        .expect("it starts");
    begun.wait_for(LIMIT).unwrap();
    // SAFETY: SIG_IGN is a valid disposition: the program outlives its own signal.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    // SAFETY: the call takes integers; zero is the group of this process.
    assert_eq!(unsafe { libc::kill(0, libc::SIGINT) }, 0);
    assert!(matches!(
        process.join_for(LIMIT),
        Err(ProcessError::Died { status, .. }) if status.signal() == Some(libc::SIGINT)
    ));
}

/// Set in of its own, and says which.
const INSIDE: &str = "PROCS_TEST_INSIDE";

/// Starts this program once more from a shell. Returns false inside, where the scenario goes on.
fn started_by_shell(script: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return false;
    }
    let program = env::current_exe().expect("this program has a file");
    let status = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(program)
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("sh(1) exists").success());
    true
}

/// As `started_by_shell`, as root of a mount namespace. Where the system allows none, the scenario ends with a note.
fn started_with_mounts(script: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return false;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    let tried = unshare().arg("true").output().expect("unshare(1) exists");
    if !tried.status.success() {
        println!("NOT CHECKED: the system allows no mount namespace");
        return true;
    }
    let program = env::current_exe().expect("this program has a file");
    let status = unshare()
        .args(["sh", "-c", script, "sh"])
        .arg(program)
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("unshare(1) exists").success());
    true
}

/// A pool's worker dies, and the pool goes on.
fn survives_a_death() {
    #[procs::task]
    fn abort() {
        process::abort();
    }
    let pool = Pool::new(1).expect("it starts");
    let error = pool.apply(abort, ()).expect_err("the worker dies");
    assert!(matches!(error, JobError::WorkerDied { .. }), "{error}");
    assert_eq!(pool.apply(double, 5).expect("it runs"), 10);
}

/// The kernel keeps no exit status: results arrive, and a death is an error without one.
pub fn sigchld_ignored() {
    procs::init();
    // SAFETY: no other thread runs yet, and no handler is installed.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    starts_work();
    survives_a_death();
}

/// A worker dies while much is sent to it. The program gets an error in place of the signal.
pub fn sigpipe_at_its_default() {
    #[procs::task]
    fn abort_on(bytes: Vec<u8>) {
        if !bytes.is_empty() {
            process::abort();
        }
    }
    procs::init();
    // SAFETY: no other thread runs yet, and no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    starts_work();
    let pool = Pool::new(1).expect("it starts");
    for _ in 0..20 {
        let jobs: Vec<_> = (0..4)
            .map(|_| pool.submit(abort_on, vec![1; 1 << 20]))
            .collect();
        for job in jobs {
            assert!(matches!(job.result(), Err(JobError::WorkerDied { .. })));
        }
    }
    let (here, there) = procs::channel::<u32>().expect("it is made");
    drop(there);
    assert_eq!(here.send(&1), Err(SendError::Closed));
}

/// Memory files count as files: where the limit is too low for one, making it is an error, and no signal.
pub fn file_size_limited() {
    procs::init();
    let limit = libc::rlimit {
        rlim_cur: 10_000,
        rlim_max: 10_000,
    };
    // SAFETY: the pointer is to a limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    let mut process = procs::spawn(double, 4).expect("it starts");
    assert_eq!(process.join_for(LIMIT).expect("it returns"), 8);
    for error in [
        Pool::new(1)
            .expect_err("a worker's journal is larger")
            .to_string(),
        SharedMemory::new(20_000)
            .expect_err("it is larger")
            .to_string(),
    ] {
        assert!(error.contains("File too large"), "{error}");
    }
}

/// A program that waits for its signals with `sigwait` blocks all of them first.
pub fn signals_blocked() {
    #[procs::task]
    fn stay() {
        thread::sleep(LIMIT);
    }
    /// How many of the signals from 1 to 31 the task's thread blocks.
    #[procs::task]
    fn blocked() -> i32 {
        // SAFETY: the pointers are to a set, which the first call fills.
        unsafe {
            let mut mask = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), &mut mask);
            (1..32).map(|signal| libc::sigismember(&mask, signal)).sum()
        }
    }
    procs::init();
    // SAFETY: the set is filled before it is used.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
    starts_work();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        let mut process = builder.spawn(blocked, ()).expect("it starts");
        assert_eq!(process.join_for(LIMIT), Ok(0));
        let mut process = builder.spawn(stay, ()).expect("it starts");
        process.terminate().expect("it is ours");
        assert!(matches!(
            process.join_for(LIMIT),
            Err(ProcessError::Died { status, .. }) if status.signal() == Some(libc::SIGTERM)
        ));
    }
    let pool = Pool::new(1).expect("it starts");
    let job = pool.submit(stay, ());
    pool.shutdown_for(Shutdown::Terminate, LIMIT)
        .expect("it ends");
    assert_eq!(job.result(), Err(JobError::Closed));
}

/// Nothing that the crate opens takes the place of a standard stream.
pub fn streams_closed() {
    procs::init();
    if started_by_shell("exec \"$1\" <&- >&- 2>&-") {
        return;
    }
    starts_work();
    survives_a_death();
}

/// A folder of devices that has none, as in many a `chroot`.
pub fn null_missing() {
    procs::init();
    if started_with_mounts("mount -t tmpfs none /dev && exec \"$1\"") {
        return;
    }
    assert!(!Path::new("/dev/null").exists());
    starts_work();
    survives_a_death();
}

/// The program's file is found through `/proc`: without that nothing starts, and the error names it.
pub fn proc_missing() {
    procs::init();
    if started_with_mounts("mount -t tmpfs none /proc && exec \"$1\"") {
        return;
    }
    assert!(!Path::new("/proc/self").exists());
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        let error = builder.spawn(double, 4).expect_err("it has no file");
        assert!(matches!(error, SpawnError::System(_)), "{error}");
        assert!(error.to_string().contains("No such file"), "{error}");
        let builder = Pool::builder().workers(1).start_method(method);
        let error = builder.build().expect_err("it has no file");
        assert!(matches!(error, SpawnError::System(_)), "{error}");
    }
}

/// New processes have the root directory of now, whatever a fork server that runs already has. A program started anew needs
/// its loader and libraries there.
pub fn root_changed() {
    #[procs::task]
    fn has(path: String) -> bool {
        Path::new(&path).exists()
    }
    procs::init();
    if started_with_mounts(
        "mount -t tmpfs none /mnt && mkdir /mnt/proc && mount --rbind /proc /mnt/proc && exec \"$1\"",
    ) {
        return;
    }
    // Starts the fork server.
    starts_work();
    // SAFETY: the pointers are to strings.
    let moved = unsafe { libc::chroot(c"/mnt".as_ptr()) + libc::chdir(c"/".as_ptr()) };
    assert_eq!(moved, 0);
    assert!(!Path::new("/usr").exists());
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = Process::builder().start_method(method);
        match builder.spawn(has, "/usr".to_owned()) {
            // A program that is linked statically needs no other file.
            Ok(mut process) => assert_eq!(process.join_for(LIMIT), Ok(false)),
            Err(error) => assert!(error.to_string().contains("No such file"), "{error}"),
        }
    }
}
