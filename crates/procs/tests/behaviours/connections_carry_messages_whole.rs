//! A connection carries values of any size whole, and descriptors with them, and says when the other side has gone.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use procs::{Connection, Descriptor, JobError, Pool, ReceiveError, SendError, channel};
use serde::{Deserialize, Serialize};

use crate::common::{LIMIT, eventually, is_running, signal};

#[procs::task]
fn echo(caller: Connection<Vec<u8>>) {
    while let Ok(message) = caller.receive() {
        caller.send(&message).expect("the caller listens");
    }
}

#[procs::task]
fn send_for_ever(caller: Connection<Vec<u8>>, size: usize) {
    let message = vec![7; size];
    while caller.send(&message).is_ok() {}
}

#[test]
fn boundaries_and_sizes_are_kept() {
    let (here, there) = channel::<Vec<u8>>().unwrap();
    let mut process = procs::spawn(echo, there).unwrap();
    for size in [0, 1, 65_530, 65_536, 65_537, 5_000_000] {
        let message: Vec<u8> = (0..size).map(|n| n as u8).collect();
        here.send(&message).unwrap();
        here.send(&Vec::new()).unwrap();
        assert!(here.receive_for(LIMIT).unwrap() == message, "{size} bytes");
        assert_eq!(here.receive_for(LIMIT).unwrap(), [0_u8; 0]);
    }
    drop(here);
    process.join_for(LIMIT).unwrap();
}

#[test]
fn types_differ_by_direction() {
    let (asker, answerer) = Connection::<String, usize>::pair().unwrap();
    asker.send(&"four".to_owned()).unwrap();
    answerer.send(&answerer.receive().unwrap().len()).unwrap();
    assert_eq!(asker.receive(), Ok(4));
}

#[test]
fn the_other_sides_end_is_seen_after_what_it_sent() {
    let (here, there) = channel::<u32>().unwrap();
    there.send(&1).unwrap();
    // Not received by anybody: that must not hide what came from there.
    here.send(&9).unwrap();
    there.send(&2).unwrap();
    drop(there);
    assert_eq!(here.receive(), Ok(1));
    assert_eq!(here.try_receive(), Ok(2));
    assert_eq!(here.receive(), Err(ReceiveError::Closed));
    assert_eq!(here.receive_for(LIMIT), Err(ReceiveError::Closed));
    assert_eq!(here.send(&3), Err(SendError::Closed));
    assert_eq!(here.poll(LIMIT), Ok(true));
}

#[test]
fn waits_end_in_time() {
    let (here, there) = channel::<Vec<u8>>().unwrap();
    let short = Duration::from_millis(5);
    assert_eq!(here.try_receive(), Err(ReceiveError::TimedOut));
    assert_eq!(here.receive_for(short), Err(ReceiveError::TimedOut));
    assert_eq!(here.poll(short), Ok(false));
    let large = vec![1; 1 << 20];
    let sent = (0..1000)
        .take_while(|_| here.try_send(&large).is_ok())
        .count();
    assert!((1..100).contains(&sent), "{sent} large messages found room");
    assert_eq!(here.send_for(&large, short), Err(SendError::TimedOut));
    for _ in 0..sent {
        assert_eq!(there.receive_for(LIMIT).unwrap().len(), large.len());
    }
    assert_eq!(there.try_receive(), Err(ReceiveError::TimedOut));
    here.try_send(&large).unwrap();
}

#[test]
fn a_sender_that_is_killed_leaves_whole_messages() {
    for size in [10, 60_000, 3_000_000] {
        let (here, there) = channel::<Vec<u8>>().unwrap();
        let process = procs::spawn(send_for_ever, (there, size)).unwrap();
        for _ in 0..5 {
            assert_eq!(here.receive_for(LIMIT).unwrap().len(), size);
        }
        process.kill();
        let end = loop {
            match here.receive_for(LIMIT) {
                Ok(message) => assert_eq!(message.len(), size),
                Err(end) => break end,
            }
        };
        assert_eq!(end, ReceiveError::Closed);
    }
}

#[procs::task]
fn wait_for_end(caller: Connection<u32>) -> bool {
    caller.receive() == Err(ReceiveError::Closed)
}

/// A bystander of the same parent holds no copy of the descriptors of another process.
#[test]
fn ends_are_held_by_nobody_else() {
    let (here, there) = channel::<u32>().unwrap();
    let (other, bystander) = channel::<u32>().unwrap();
    let mut first = procs::spawn(wait_for_end, there).unwrap();
    let mut second = procs::spawn(wait_for_end, bystander).unwrap();
    drop(here);
    assert!(first.join_for(LIMIT).unwrap());
    assert!(second.is_alive());
    drop(other);
    assert!(second.join_for(LIMIT).unwrap());
}

#[derive(Serialize, Deserialize)]
struct Introduction {
    name: String,
    line: Connection<u32>,
    file: Option<Descriptor>,
}

#[procs::task]
fn introduce(caller: Connection<Introduction>) {
    let (keep, give) = channel::<u32>().expect("the system makes one");
    let file = Descriptor::new(File::open("/proc/self/comm").expect("/proc is there"));
    let name = "a".repeat(100_000);
    caller
        .send(&Introduction {
            name,
            line: give,
            file: Some(file),
        })
        .expect("the caller listens");
    let n = keep.receive().expect("the caller answers");
    keep.send(&(n + 1)).expect("the caller listens");
}

#[test]
fn ends_and_files_travel_in_messages() {
    let (here, there) = channel::<Introduction>().unwrap();
    let mut process = procs::spawn(introduce, there).unwrap();
    let Introduction { name, line, file } = here.receive_for(LIMIT).unwrap();
    assert_eq!(name.len(), 100_000);
    let mut comm = String::new();
    let file = file.unwrap().into_inner();
    File::from(file).read_to_string(&mut comm).unwrap();
    assert!(!comm.is_empty());
    line.send(&41).unwrap();
    assert_eq!(line.receive_for(LIMIT), Ok(42));
    process.join_for(LIMIT).unwrap();
}

#[procs::task]
fn write_to_all(files: Vec<Descriptor>) {
    for (file, n) in files.into_iter().zip(0..) {
        write!(File::from(file.into_inner()), "{n}").expect("somebody reads");
    }
}

#[test]
fn as_many_descriptors_travel_as_the_kernel_takes() {
    let pipes: Vec<_> = (0..253).map(|_| std::io::pipe().unwrap()).collect();
    let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
    let files = writers.into_iter().map(Descriptor::new).collect();
    let mut process = procs::spawn(write_to_all, files).unwrap();
    process.join_for(LIMIT).unwrap();
    for (mut reader, n) in readers.into_iter().zip(0..) {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, n.to_string());
    }
    let (here, _there) = channel::<Vec<Descriptor>>().unwrap();
    let copy = || Descriptor::new(here.as_fd().try_clone_to_owned().unwrap());
    let too_many = (0..254).map(|_| copy()).collect();
    assert!(matches!(here.send(&too_many), Err(SendError::Encode(_))));
}

#[procs::task]
fn say_pid(line: Connection<u32>) {
    line.send(&std::process::id()).expect("the parent listens");
}

#[test]
fn jobs_refuse_descriptors_and_initializers_take_them() {
    let (here, there) = channel::<u32>().unwrap();
    let builder = Pool::builder().workers(2).initializer(say_pid, there);
    let pool = builder.build().unwrap();
    let mut pids = [
        here.receive_for(LIMIT).unwrap(),
        here.receive_for(LIMIT).unwrap(),
    ];
    let mut workers: Vec<_> = pool.workers().iter().map(|worker| worker.pid()).collect();
    pids.sort_unstable();
    workers.sort_unstable();
    assert_eq!(workers, pids);
    signal(pids[0], "KILL");
    let replacement = here.receive_for(LIMIT).unwrap();
    assert!(!pids.contains(&replacement));
    eventually("it runs", || is_running(replacement));
    let (_other, end) = channel::<u32>().unwrap();
    match pool.submit(say_pid, end).result() {
        Err(JobError::Encode(error)) => {
            assert!(error.to_string().contains("descriptor"), "{error}")
        }
        other => panic!("{other:?}"),
    }
}
