//! A wait for several jobs ends with the first, with the first error, or with all.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use procs::{Job, JobError, Pool, TimedOut, WaitFor, wait, wait_for};

use crate::common::{Folder, LIMIT};

/// Long enough to see that nothing comes, and no more.
const SHORT: Duration = Duration::from_millis(3);

/// Waits until a file is there; fails if the name says so.
#[procs::task]
fn await_file(path: PathBuf) {
    while !path.exists() {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!path.ends_with("bad"), "on purpose");
}

#[test]
fn first_and_first_error_and_all_are_told_apart() {
    let folder = Folder::new();
    let pool = Pool::new(4).unwrap();
    let submit = |name: &&str| pool.submit(await_file, folder.path(name));
    let names = ["one", "two", "bad", "three"];
    let mut jobs: Vec<_> = names.iter().map(submit).collect();
    let begin = |name: &str| std::fs::write(folder.path(name), "").unwrap();
    assert_eq!(wait_for(&jobs, WaitFor::First, SHORT), Err(TimedOut));

    begin("two");
    wait_for(&jobs, WaitFor::First, LIMIT).unwrap();
    assert!(jobs[1].is_done() && !jobs[0].is_done());
    // A wait takes no result, and the next one finds what has ended before it.
    wait_for(&jobs, WaitFor::First, LIMIT).unwrap();
    assert_eq!(wait_for(&jobs, WaitFor::FirstError, SHORT), Err(TimedOut));

    begin("bad");
    wait_for(&jobs, WaitFor::FirstError, LIMIT).unwrap();
    assert!(jobs[2].is_done() && !jobs[0].is_done());
    assert_eq!(wait_for(&jobs, WaitFor::All, SHORT), Err(TimedOut));

    begin("one");
    begin("three");
    wait(&jobs, WaitFor::All);
    assert!(jobs.iter().all(Job::is_done));
    assert!(matches!(
        jobs.swap_remove(2).result(),
        Err(JobError::Panicked(_))
    ));
    wait(&jobs, WaitFor::FirstError);
    wait::<()>(&[], WaitFor::First);
}

#[test]
fn a_terminated_pool_ends_all_waits() {
    let folder = Folder::new();
    let pool = Pool::new(1).unwrap();
    let jobs = [0; 3].map(|_| pool.submit(await_file, folder.path("never")));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| wait_for(&jobs, WaitFor::All, LIMIT));
        pool.terminate();
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}
