//! What a program meets outside: its file is replaced while it runs, and its threads are busy when it starts a process.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use procs::{InvalidOption, Pool, Process, SpawnError, StartMethod};

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
