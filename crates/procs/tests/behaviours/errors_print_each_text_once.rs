//! An error prints the reason behind it or returns that from `source`, never both.

use std::error::Error;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;

use procs::sync::{Barrier, Semaphore};
use procs::{
    Descriptor, JobError, Limit, Manager, Pool, PoolBuilder, Process, Queue, channel, command,
};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::{Folder, LIMIT, eventually, signal};

/// A value that cannot be encoded.
#[derive(Debug, Deserialize)]
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("this value is unwritable"))
    }
}

/// A value that cannot be decoded.
#[derive(Debug, Serialize)]
struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("this value is unreadable"))
    }
}

#[procs::task]
fn take_unwritable(_: Unwritable) {}

#[procs::task]
fn take_unreadable(_: Unreadable) {}

#[procs::task]
fn give_unwritable() -> Unwritable {
    Unwritable
}

#[procs::task]
fn fail() {
    panic!("this task fails");
}

#[procs::task]
fn fail_if_there(path: PathBuf) {
    assert!(!path.exists(), "the file is there");
}

#[procs::task]
fn nothing() {}

/// The texts of an error and of its sources, from the outside to the inside.
fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.map(ToString::to_string).collect()
}

/// Checks that no text stands within one further outside, as reporters print them one after the other.
fn assert_each_once(texts: &[String], reason: &str) {
    for (index, text) in texts.iter().enumerate() {
        let before = &texts[..index];
        assert!(
            !before.iter().any(|outer| outer.contains(text)),
            "{texts:?}"
        );
    }
    let all = texts.join(": ");
    assert_eq!(all.matches(reason).count(), 1, "{texts:?}");
}

fn check(error: &(dyn Error + 'static), reason: &str) {
    assert_each_once(&texts(error), reason);
}

#[test]
fn errors_of_jobs() {
    let pool = Pool::new(1).unwrap();
    check(&pool.apply(fail, ()).unwrap_err(), "this task fails");
    let error = pool.apply(take_unwritable, Unwritable).unwrap_err();
    check(&error, "this value is unwritable");
    let error = pool.apply(give_unwritable, ()).unwrap_err();
    check(&error, "this value is unwritable");
    let error = pool.apply(take_unreadable, Unreadable).unwrap_err();
    check(&error, "this value is unreadable");
}

#[test]
fn errors_of_processes() {
    let error = procs::spawn(fail, ()).unwrap().join_for(LIMIT).unwrap_err();
    check(&error, "this task fails");
    let mut process = procs::spawn(give_unwritable, ()).unwrap();
    check(
        &process.join_for(LIMIT).unwrap_err(),
        "this value is unwritable",
    );
    let mut process = procs::spawn(take_unreadable, Unreadable).unwrap();
    check(
        &process.join_for(LIMIT).unwrap_err(),
        "this value is unreadable",
    );
}

#[test]
fn errors_of_starts() {
    let error = procs::spawn(take_unwritable, Unwritable).unwrap_err();
    check(&error, "this value is unwritable");
    let builder = Process::builder().env("A=B", "C");
    check(&builder.spawn(nothing, ()).unwrap_err(), "A=B");
    let builder = Process::builder().cwd("/no/such/folder");
    match builder.spawn(nothing, ()) {
        Err(error) => check(&error, "No such file"),
        Ok(mut process) => check(&process.join_for(LIMIT).unwrap_err(), "No such file"),
    }
    let builder = || Pool::builder().workers(1);
    check_build(builder().initializer(fail, ()), "this task fails");
    let builder = builder().initializer(take_unreadable, Unreadable);
    check_build(builder, "this value is unreadable");
}

/// Checks the error of a pool whose initializer fails, before or after `build` returns.
fn check_build(builder: PoolBuilder, reason: &str) {
    match builder.build() {
        Err(error) => check(&error, reason),
        Ok(pool) => check(&pool.apply(nothing, ()).unwrap_err(), reason),
    }
}

#[test]
fn errors_of_broken_pools() {
    let folder = Folder::new();
    let mark = folder.path("mark");
    let builder = Pool::builder()
        .workers(1)
        .initializer(fail_if_there, mark.clone());
    let pool = builder.build().unwrap();
    File::create(mark).unwrap();
    signal(pool.workers()[0].pid(), "KILL");
    eventually("the pool is broken", || pool.is_closed());
    let error = pool.apply(nothing, ()).unwrap_err();
    assert!(matches!(error, JobError::Broken(_)), "{error}");
    check(&error, "the file is there");
}

#[test]
fn errors_of_messages_and_shared_objects() {
    let (here, there) = channel::<Unreadable>().unwrap();
    here.send(&Unreadable).unwrap();
    check(
        &there.receive_for(LIMIT).unwrap_err(),
        "this value is unreadable",
    );
    let (here, _there) = channel::<Vec<Descriptor>>().unwrap();
    let copy = || Descriptor::from(here.as_fd().try_clone_to_owned().unwrap());
    let error = here.send(&(0..254).map(|_| copy()).collect()).unwrap_err();
    check(&error, "descriptor");
    let queue = Queue::<Unwritable>::new(8).unwrap();
    check(
        &queue.try_put(&Unwritable).unwrap_err(),
        "this value is unwritable",
    );
    let queue = Queue::<Unreadable>::new(8).unwrap();
    queue.try_put(&Unreadable).unwrap();
    check(&queue.try_get().unwrap_err(), "this value is unreadable");
    let manager = Manager::start().unwrap();
    let error = manager
        .list::<Unwritable>()
        .unwrap()
        .push(&Unwritable)
        .unwrap_err();
    check(&error, "this value is unwritable");
    let list = manager.list::<Unreadable>().unwrap();
    list.push(&Unreadable).unwrap();
    check(&list.get(0).unwrap_err(), "this value is unreadable");
}

#[test]
fn errors_of_programs() {
    let error = command("no-such-program-xyz").run().unwrap_err();
    check(&error, "No such file");
    check(&command("a\0b").run().unwrap_err(), "NUL");
    let error = command("false").run().unwrap().check().unwrap_err();
    check(&error, "code 1");
}

/// The texts of an error of a process that has no descriptor left.
#[procs::task]
fn make_without_descriptors() -> [Vec<String>; 2] {
    let mut held = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        held.push(file);
    }
    let semaphore = Semaphore::new(1).expect_err("there is no descriptor left");
    [
        texts(&semaphore),
        texts(&Barrier::new(1).expect_err("there is none")),
    ]
}

#[test]
fn errors_of_the_system() {
    let builder = Process::builder().limit(Limit::OpenFiles(64));
    let mut process = builder.spawn(make_without_descriptors, ()).unwrap();
    for texts in process.join_for(LIMIT).unwrap() {
        assert_each_once(&texts, "Too many open files");
    }
}
