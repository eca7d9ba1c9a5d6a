//! Values from one process to another.

use std::sync::Mutex;

use ipc_channel::ipc::{self, IpcOneShotServer, IpcSender};
use procs::{Connection, JoinableQueue, Queue, SharedMemory};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::time;
use crate::peers::original::Original;
use crate::peers::{Contest, Row, Target};

const MESSAGES: u64 = 200_000;
const MEBIBYTES: usize = 200;
const MEBIBYTE: usize = 1 << 20;

/// Sixteen bytes.
type Item = [u64; 2];

fn check([one, other]: Item) {
    assert_eq!(one, other);
}

/// Bytes that serde takes as bytes, and not one by one.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// Puts that many items when it is told to, for ever.
#[procs::task]
fn put(orders: Queue<u64>, queue: Queue<Item>) {
    while let Ok(count) = orders.get() {
        (0..count).for_each(|n| queue.put(&[n, n]).expect("it is open"));
    }
}

/// Gets that many items when it is told to, for ever.
#[procs::task]
fn get(orders: JoinableQueue<u64>, queue: Queue<Item>) {
    while let Ok(count) = orders.get() {
        (0..count).for_each(|_| check(queue.get().expect("it is open")));
        orders.task_done().expect("one was got");
    }
}

/// As `put`, into an ipc-channel whose receiver waits for the sender at an address.
#[procs::task]
fn put_into_ipc(orders: Queue<u64>, address: String) {
    let home = IpcSender::connect(address).expect("it waits");
    let (sender, receiver) = ipc::channel::<Item>().expect("there are descriptors");
    home.send(receiver).expect("it waits");
    while let Ok(count) = orders.get() {
        (0..count).for_each(|n| sender.send([n, n]).expect("it is open"));
    }
}

#[procs::task]
fn send_mebibytes(orders: Queue<u64>, to: Connection<Bytes>) {
    let item = Bytes(vec![7; MEBIBYTE]);
    while let Ok(count) = orders.get() {
        (0..count).for_each(|_| to.send(&item).expect("it is open"));
    }
}

#[procs::task]
fn put_mebibytes(orders: Queue<u64>, to: Queue<Bytes>) {
    let item = Bytes(vec![7; MEBIBYTE]);
    while let Ok(count) = orders.get() {
        (0..count).for_each(|_| to.put(&item).expect("it is open"));
    }
}

#[procs::task]
fn take_memory(from: Connection<u64, SharedMemory>) {
    while let Ok(memory) = from.receive() {
        from.send(&(memory.len() as u64)).expect("it waits");
    }
}

/// Rows for queues, large values, and shared memory.
pub fn rows(rounds: usize, python: &Original) -> Vec<Row> {
    let mut rows = one_to_one(rounds, python);
    rows.extend(two_to_two(rounds, python));
    rows.extend(mebibytes(rounds, python));
    rows.extend(shared_memory(rounds, python));
    rows
}

fn orders<T>() -> Queue<T> {
    Queue::new(8).expect("there is memory")
}

fn one_to_one(rounds: usize, python: &Original) -> Vec<Row> {
    let (orders_here, queue) = (orders(), Queue::<Item>::new(1024).expect("there is memory"));
    let going = procs::spawn(put, (orders_here.clone(), queue.clone())).expect("it starts");
    let ours = || {
        time(MESSAGES as usize, || {
            orders_here.put(&MESSAGES).expect("it is open");
            (0..MESSAGES).for_each(|_| check(queue.get().expect("it is open")));
        })
    };
    let orders_there = orders();
    let (server, address) = IpcOneShotServer::new().expect("there are descriptors");
    let theirs = procs::spawn(put_into_ipc, (orders_there.clone(), address)).expect("it starts");
    let (_, receiver): (_, ipc::IpcReceiver<Item>) = server.accept().expect("it connects");
    let receiver = Mutex::new(receiver);
    let ipc_channel = || {
        time(MESSAGES as usize, || {
            orders_there.put(&MESSAGES).expect("it is open");
            let receiver = receiver.lock().expect("nobody has panicked");
            (0..MESSAGES).for_each(|_| check(receiver.recv().expect("it is open")));
        })
    };
    let contest = Contest::new("procs", "Queue of 16 bytes, 1 writer, 1 reader")
        .entrant("ours", ours)
        .entrant("ipc-channel", ipc_channel);
    let rows = python
        .enter(contest, "multiprocessing.Queue", "queue_1")
        .goal(
            "ours",
            &["multiprocessing.Queue"],
            Target::Ratio(1.0 / 60.0),
        )
        .goal("ours", &["ipc-channel"], Target::Ratio(1.0 / 8.0))
        .run(rounds);
    let _ = going.kill();
    let _ = theirs.kill();
    rows
}

/// ipc-channel has one receiver only.
fn two_to_two(rounds: usize, python: &Original) -> Vec<Row> {
    let queue = Queue::<Item>::new(1024).expect("there is memory");
    let (put_orders, get_orders) = (orders(), JoinableQueue::new(8).expect("there is memory"));
    let writers =
        [0; 2].map(|_| procs::spawn(put, (put_orders.clone(), queue.clone())).expect("it starts"));
    let readers =
        [0; 2].map(|_| procs::spawn(get, (get_orders.clone(), queue.clone())).expect("it starts"));
    let ours = || {
        time(MESSAGES as usize, || {
            for _ in 0..2 {
                get_orders.put(&(MESSAGES / 2)).expect("it is open");
                put_orders.put(&(MESSAGES / 2)).expect("it is open");
            }
            get_orders.join().expect("they live");
        })
    };
    let contest =
        Contest::new("procs", "Queue of 16 bytes, 2 writers, 2 readers").entrant("ours", ours);
    let rows = python
        .enter(contest, "multiprocessing.Queue", "queue_2")
        .goal(
            "ours",
            &["multiprocessing.Queue"],
            Target::Ratio(1.0 / 50.0),
        )
        .run(rounds);
    for process in writers.iter().chain(&readers) {
        let _ = process.kill();
    }
    rows
}

fn mebibytes(rounds: usize, python: &Original) -> Vec<Row> {
    let connection_orders = orders();
    let (here, there) = procs::channel::<Bytes>().expect("there are descriptors");
    let sender =
        procs::spawn(send_mebibytes, (connection_orders.clone(), there)).expect("it starts");
    let by_connection = || {
        time(MEBIBYTES, || {
            connection_orders
                .put(&(MEBIBYTES as u64))
                .expect("it is open");
            for _ in 0..MEBIBYTES {
                assert_eq!(here.receive().expect("it sends").0.len(), MEBIBYTE);
            }
        })
    };
    let queue_orders = orders();
    let queue = Queue::<Bytes>::with_bytes(3, 4 * MEBIBYTE).expect("there is memory");
    let writer =
        procs::spawn(put_mebibytes, (queue_orders.clone(), queue.clone())).expect("it starts");
    let by_queue = || {
        time(MEBIBYTES, || {
            queue_orders.put(&(MEBIBYTES as u64)).expect("it is open");
            for _ in 0..MEBIBYTES {
                assert_eq!(queue.get().expect("it puts").0.len(), MEBIBYTE);
            }
        })
    };
    let contest = Contest::new("procs", "1 MiB by copy")
        .entrant("by Connection", by_connection)
        .entrant("by Queue", by_queue);
    let rows = python
        .enter(contest, "multiprocessing.Pipe", "pipe_mebibytes")
        .goal(
            "by Connection",
            &["multiprocessing.Pipe"],
            Target::Ratio(1.0 / 2.5),
        )
        .goal(
            "by Queue",
            &["multiprocessing.Pipe"],
            Target::Ratio(1.0 / 2.5),
        )
        .run(rounds);
    let _ = sender.kill();
    let _ = writer.kill();
    rows
}

fn shared_memory(rounds: usize, python: &Original) -> Vec<Row> {
    const SIZE: usize = 64 * MEBIBYTE;
    let (here, there) = Connection::<SharedMemory, u64>::pair().expect("there are descriptors");
    let taker = procs::spawn(take_memory, there).expect("it starts");
    let memory = SharedMemory::new(SIZE).expect("there is memory");
    memory.write(0, &vec![7; SIZE]);
    let contest = Contest::new("procs", "64 MiB handed over").entrant("ours", || {
        time(100, || {
            for _ in 0..100 {
                here.send(&memory).expect("it lives");
                assert_eq!(here.receive().expect("it answers"), SIZE as u64);
            }
        })
    });
    let rows = python
        .enter(
            contest,
            "multiprocessing.Queue of bytes",
            "queue_of_64_mebibytes",
        )
        .goal(
            "ours",
            &["multiprocessing.Queue of bytes"],
            Target::Ratio(1.0 / 1000.0),
        )
        .run(rounds);
    let _ = taker.kill();
    rows
}
