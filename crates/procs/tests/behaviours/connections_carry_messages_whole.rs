//! A connection carries values of any size whole, and descriptors with them, and says when the other side has gone.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

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
        process.kill().unwrap();
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

/// A message whose every byte tells its number.
fn numbered(number: u8, size: usize) -> Vec<u8> {
    vec![number; size]
}

fn is_numbered(message: &[u8], number: u8) -> bool {
    message.iter().all(|byte| *byte == number)
}

#[procs::task]
fn count_whole(from: Connection<u8, (u8, Vec<u8>)>, results: Connection<(u64, u64)>) {
    let (mut count, mut sum) = (0, 0);
    while let Ok((number, message)) = from.receive() {
        assert!(is_numbered(&message, number), "it is whole");
        (count, sum) = (count + 1, sum + u64::from(number));
    }
    results.send(&(count, sum)).expect("the test listens");
}

#[procs::task]
fn send_numbered(to: Connection<(u8, Vec<u8>), u8>, size: usize, count: u8) {
    for number in 0..count {
        to.send(&(number, numbered(number, size)))
            .expect("the receivers live");
    }
}

#[test]
fn large_messages_reach_one_of_the_receivers_whole() {
    // In the arena, and beyond it.
    for (size, each) in [(100_000, 100), (1 << 20, 12), (9 << 20, 2)] {
        let (to, from) = Connection::<(u8, Vec<u8>), u8>::pair().unwrap();
        // Duplicates of the ends travel in messages.
        let (give, take) = channel().unwrap();
        let mut processes = Vec::new();
        for _ in 0..3 {
            give.send(&from).unwrap();
            let from = take.receive().unwrap();
            let (mine, its) = channel().unwrap();
            processes.push((procs::spawn(count_whole, (from, its)).unwrap(), mine));
        }
        drop(from);
        let (give, take) = channel().unwrap();
        let senders: Vec<_> = (0..2)
            .map(|_| {
                give.send(&to).unwrap();
                procs::spawn(send_numbered, (take.receive().unwrap(), size, each)).unwrap()
            })
            .collect();
        drop(to);
        for mut sender in senders {
            sender.join_for(LIMIT).unwrap();
        }
        let (mut messages, mut sum) = (0, 0);
        for (mut process, mine) in processes {
            let result: (u64, u64) = mine.receive_for(LIMIT).unwrap();
            (messages, sum) = (messages + result.0, sum + result.1);
            process.join_for(LIMIT).unwrap();
        }
        let each = u64::from(each);
        assert_eq!((messages, sum), (2 * each, each * (each - 1)));
    }
}

#[procs::task]
fn receive_whole(from: Connection<u8, (u8, Vec<u8>)>) {
    while let Ok((number, message)) = from.receive() {
        assert!(is_numbered(&message, number), "it is whole");
        from.send(&number).expect("the test listens");
    }
}

/// Each receiver that is killed may leave a part of the arena taken; there are more of them than parts.
#[test]
fn receivers_that_are_killed_cost_a_message_each_and_no_memory() {
    let (here, there) = Connection::<(u8, Vec<u8>), u8>::pair().unwrap();
    let (give, take) = channel().unwrap();
    for round in 0..12_u8 {
        give.send(&there).unwrap();
        let receiver = procs::spawn(receive_whole, take.receive().unwrap()).unwrap();
        here.send(&(round, numbered(round, 1 << 20))).unwrap();
        assert_eq!(here.receive_for(LIMIT), Ok(round));
        // The kill comes while it receives, at one step or another.
        for number in 0..=round % 3 {
            here.send(&(number, numbered(number, 1 << 20))).unwrap();
        }
        receiver.kill().unwrap();
        eventually("it is dead", || !receiver.is_alive());
        while there.try_receive().is_ok() {}
        while here.try_receive().is_ok() {}
    }
    for number in 0..30 {
        here.send(&(number, numbered(number, 1 << 20))).unwrap();
        let (arrived, message) = there.receive_for(LIMIT).unwrap();
        assert!(arrived == number && is_numbered(&message, number));
    }
}

#[test]
fn senders_that_are_killed_leave_a_usable_end_to_others() {
    let (here, there) = channel::<Vec<u8>>().unwrap();
    let (give, take) = channel().unwrap();
    for _ in 0..8 {
        give.send(&there).unwrap();
        let sender = procs::spawn(send_for_ever, (take.receive().unwrap(), 700_000)).unwrap();
        for _ in 0..10 {
            assert!(is_numbered(&here.receive_for(LIMIT).unwrap(), 7));
        }
        sender.kill().unwrap();
        eventually("it is dead", || !sender.is_alive());
    }
    while here.try_receive().is_ok() {}
    there.send(&numbered(9, 1 << 20)).unwrap();
    assert!(is_numbered(&here.receive_for(LIMIT).unwrap(), 9));
}

#[test]
fn threads_share_an_end() {
    let (here, there) = channel::<(u8, Vec<u8>)>().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3_u8 {
            let here = &here;
            scope.spawn(move || {
                for _ in 0..40 {
                    here.send(&(thread, numbered(thread, 200_000))).unwrap();
                }
            });
        }
        let readers = [0; 2].map(|_| {
            scope.spawn(|| {
                for _ in 0..60 {
                    let (number, message) = there.receive_for(LIMIT).unwrap();
                    assert!(is_numbered(&message, number));
                }
            })
        });
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// Sends a packet past the connection's own code.
fn inject(end: &impl AsFd, packet: &[u8]) {
    let copy = end.as_fd().try_clone_to_owned().unwrap();
    UnixDatagram::from(copy).send(packet).unwrap();
}

#[test]
fn packets_that_lie_are_errors() {
    let (here, there) = channel::<Vec<u8>>().unwrap();
    let packet =
        |length: u64, slot: u64, number: u64| [length, slot, number].map(u64::to_le_bytes).concat();
    let lies = [
        vec![1],
        packet(7, 0, 0),
        packet(u64::MAX, 0, 0),
        packet(1 << 20, 0, 1),
        packet(1 << 20, u64::MAX, 1),
        [packet(0, 0, 0), vec![1]].concat(),
    ];
    for lie in lies {
        inject(&here, &lie);
        assert!(matches!(
            there.receive_for(LIMIT),
            Err(ReceiveError::Decode(_))
        ));
    }
    here.send(&numbered(3, 1 << 20)).unwrap();
    assert!(is_numbered(&there.receive_for(LIMIT).unwrap(), 3));
}

/// As on a system whose sockets have small buffers.
#[test]
fn large_messages_pass_a_socket_with_a_small_buffer() {
    let (here, there) = channel::<Vec<u8>>().unwrap();
    let size: libc::c_int = 4096;
    // SAFETY: the descriptor is open; the option is an integer that lives until the call returns.
    let set = unsafe {
        libc::setsockopt(
            here.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const size).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    for size in [10, 20_000, 65_000, 1 << 20, 9 << 20] {
        here.send_for(&numbered(5, size), LIMIT).unwrap();
        let message = there.receive_for(LIMIT).unwrap();
        assert!(message.len() == size && is_numbered(&message, 5));
    }
}

#[test]
fn an_end_iterates_over_what_it_receives() {
    let (here, there) = channel::<u32>().unwrap();
    assert_eq!(there.try_iter().count(), 0);
    (0..4).for_each(|n| here.send(&n).unwrap());
    let there_now: Result<Vec<_>, _> = there.try_iter().collect();
    assert_eq!(there_now, Ok(vec![0, 1, 2, 3]));
    here.send(&4).unwrap();
    let soon = Instant::now() + LIMIT;
    here.send_until(&5, soon).unwrap();
    assert_eq!(there.receive_until(soon), Ok(4));
    let now = Instant::now();
    inject(&here, &[0]);
    drop(here);
    let mut values = there.iter();
    assert_eq!(values.next(), Some(Ok(5)));
    assert!(matches!(values.next(), Some(Err(ReceiveError::Decode(_)))));
    assert_eq!(values.next(), None);
    assert_eq!(there.receive_until(now), Err(ReceiveError::Closed));
    assert!((&there).into_iter().next().is_none());
}

#[test]
fn descriptors_are_made_from_their_owners_and_turn_into_them() {
    let (reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_raw_fd();
    let descriptor = Descriptor::from(writer);
    assert_eq!(descriptor.as_raw_fd(), number);
    let (here, there) = channel::<Descriptor>().unwrap();
    here.send(&descriptor).unwrap();
    drop(descriptor);
    let mut writer = File::from(OwnedFd::from(there.receive_for(LIMIT).unwrap()));
    writer.write_all(b"by the copy").unwrap();
    drop(writer);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "by the copy");
    let file: Descriptor = File::open("/proc/self/stat").unwrap().into();
    let socket: Descriptor = UnixDatagram::unbound().unwrap().into();
    assert!(file.as_raw_fd() != socket.as_raw_fd());
}
