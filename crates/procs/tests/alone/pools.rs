//! Pools whose workers do not start, whose fork server stands still, and whose jobs are waited for again and again.

use std::env;
use std::fs::File;
use std::process;
use std::time::{Duration, Instant};

use procs::{JobError, Pool, SpawnError, StartError, StartMethod, WaitFor};

use crate::{LIMIT, double, eventually, fork_server};

#[procs::task]
fn wait_for_file(path: std::path::PathBuf) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Only one process at a time gets past the code before `init`: the second worker exits each time.
pub fn second_never_starts() {
    let lock = env::temp_dir().join(format!(
        "procs-one-{}",
        env::var("PROCS_TEST_ONE").unwrap_or_default()
    ));
    let is_first = env::var_os("PROCS_TEST_ONE").is_none();
    if !is_first && File::create_new(&lock).is_err() {
        process::exit(3);
    }
    procs::init();
    let number = process::id().to_string();
    // SAFETY: no other thread exists yet.
    unsafe { env::set_var("PROCS_TEST_ONE", &number) };
    let builder = Pool::builder().workers(2).start_method(StartMethod::Spawn);
    let error = builder
        .build_for(LIMIT)
        .expect_err("one worker does not start");
    assert!(
        matches!(error, SpawnError::Start(StartError::Ended(status)) if status.code() == Some(3)),
        "{error}"
    );
    let _ = std::fs::remove_file(env::temp_dir().join(format!("procs-one-{number}")));
}

/// While a worker cannot be replaced, the others go on.
pub fn server_stands_still() {
    procs::init();
    let pool = Pool::new(2).expect("it starts");
    pool.map_collect(double, 0..100).expect("they run");
    let server = fork_server::fork_server().expect("it lives");
    fork_server::signal(server, "STOP");
    // One process is made in advance: it replaces the first victim.
    let kill = |victim| {
        fork_server::signal(victim, "KILL");
        let workers = || pool.workers();
        eventually("its death is seen", LIMIT, || {
            workers().iter().all(|worker| worker.pid() != victim)
        });
    };
    let (first, second) = (pool.workers()[0].pid(), pool.workers()[1].pid());
    kill(first);
    eventually("it is replaced", LIMIT, || pool.workers().len() == 2);
    kill(second);
    assert_eq!(pool.workers().len(), 1);
    let begun = Instant::now();
    for n in 0..100 {
        let result = pool.submit(double, n).result_for(LIMIT);
        assert_eq!(result, Ok(2 * n));
    }
    // The start that stands still takes ten seconds.
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    fork_server::signal(server, "CONT");
    eventually("it is replaced", LIMIT, || pool.workers().len() == 2);
}

/// Bytes of this process's heap that are in use.
fn heap() -> usize {
    // SAFETY: mallinfo2 has no preconditions.
    unsafe { libc::mallinfo2() }.uordblks
}

/// Waits that time out leave nothing in a job that goes on.
pub fn waits_leave_nothing() {
    procs::init();
    let pool = Pool::new(1).expect("it starts");
    let folder = env::temp_dir().join(format!("procs-waits-{}", process::id()));
    let jobs = [pool.submit(wait_for_file, folder.clone())];
    let wait = |count: u32| {
        for _ in 0..count {
            procs::wait_for(&jobs, WaitFor::All, Duration::ZERO).expect_err("it goes on");
        }
        heap()
    };
    let before = wait(1_000);
    let after = wait(20_000);
    assert!(after < before + 100_000, "{before} bytes, then {after}");
    File::create(&folder).expect("the name is new");
    let [mut job] = jobs;
    assert_eq!(job.result_for(LIMIT), Ok::<(), JobError>(()));
    let _ = std::fs::remove_file(folder);
}
