//! Values that are too large are refused by a clear limit, and neither many nor large ones take memory without bound.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use procs::{JobError, Pool, PutError, Queue};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeTuple};

use crate::common::{Folder, LIMIT, eventually};

const PIECE: usize = 16 << 20;

/// As many bytes as it says, which are nowhere at once: it is encoded piece by piece.
#[derive(Debug, Deserialize)]
struct Gigabytes(usize);

struct Piece<'a>(&'a [u8]);

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// How many pieces were asked for.
static PIECES: AtomicU64 = AtomicU64::new(0);

impl Serialize for Gigabytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (piece, count) = (vec![1; PIECE], self.0 * ((1 << 30) / PIECE));
        let mut pieces = serializer.serialize_tuple(count)?;
        for _ in 0..count {
            PIECES.fetch_add(1, Relaxed);
            pieces.serialize_element(&Piece(&piece))?;
        }
        pieces.end()
    }
}

#[procs::task]
fn take(_: Gigabytes) {}

#[procs::task]
fn give(count: usize) -> Gigabytes {
    Gigabytes(count)
}

#[procs::task]
fn next_byte(byte: u8) -> u8 {
    byte.wrapping_add(1)
}

/// The most memory that a process has had, in bytes.
fn peak_memory(pid: u32) -> usize {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes
        .expect("the kernel counts")
        .parse::<usize>()
        .expect("it is a number")
        << 10
}

#[test]
fn five_gigabytes_are_refused_before_they_are_gathered() {
    let pool = Pool::new(1).unwrap();
    let error = pool.apply(take, Gigabytes(5)).unwrap_err();
    assert!(matches!(error, JobError::Encode(_)));
    assert!(
        error.to_string().contains("more than 1073741824 bytes"),
        "{error}"
    );
    assert!(
        PIECES.load(Relaxed) <= 64 + 1,
        "it went on beyond the limit"
    );
    // The same in the worker, which lives on.
    let worker = pool.workers()[0].pid();
    let error = pool.submit(give, 5).result_for(LIMIT).unwrap_err();
    assert!(matches!(error, JobError::Encode(_)));
    assert!(
        error.to_string().contains("more than 1073741824 bytes"),
        "{error}"
    );
    assert_eq!(pool.apply(next_byte, 1).unwrap(), 2);
    assert_eq!(pool.workers()[0].pid(), worker);
    let peak = peak_memory(worker);
    assert!(peak < 5 << 29, "the worker has used {peak} bytes");
}

/// In a release build a million of them.
#[test]
fn very_many_one_byte_tasks_all_end() {
    let count = if cfg!(debug_assertions) {
        30_000
    } else {
        1_000_000_u32
    };
    let pool = Pool::new(2).unwrap();
    let expected = |n: u32| (n as u8).wrapping_add(1);
    let mapped = pool
        .map_collect(next_byte, (0..count).map(|n| n as u8))
        .unwrap();
    assert!(mapped.into_iter().eq((0..count).map(expected)));
    let jobs: Vec<_> = (0..count)
        .map(|n| pool.submit(next_byte, n as u8))
        .collect();
    for (n, mut job) in (0..).zip(jobs) {
        assert_eq!(job.result_for(LIMIT).unwrap(), expected(n));
    }
    let mut read = 0;
    let lazy = pool.imap(
        next_byte,
        (0..count).inspect(|_| read += 1).map(|n| n as u8),
    );
    assert_eq!(lazy.map(Result::unwrap).count(), count as usize);
    assert_eq!(read, count);
}

#[procs::task]
fn put_large(queue: Queue<String>) {
    for letter in ('a'..='z').cycle() {
        queue
            .put(&letter.to_string().repeat(8 << 20))
            .expect("it is open");
    }
}

/// Equal letters, and as many as were put.
fn is_whole(got: &str) -> bool {
    let bytes = got.as_bytes();
    bytes.len() == 8 << 20 && bytes[1..] == bytes[..bytes.len() - 1]
}

/// Copying a large value into the queue takes most of the writer's time, and it holds the queue's mutex then.
#[test]
fn a_writer_that_is_killed_within_a_queue_stops_nobody() {
    let queue = Queue::<String>::with_bytes(4, 40 << 20).unwrap();
    for round in 0_u64..8 {
        let writer = procs::spawn(put_large, queue.clone()).unwrap();
        for _ in 0..round % 3 {
            let got = queue.get_for(LIMIT).unwrap();
            assert!(is_whole(&got));
        }
        std::thread::sleep(Duration::from_micros(round * 997));
        writer.kill().unwrap();
        eventually_ended(&writer);
        while let Ok(got) = queue.try_get() {
            assert!(is_whole(&got));
        }
        queue.put_for(&round.to_string(), LIMIT).unwrap();
        assert_eq!(queue.get_for(LIMIT), Ok(round.to_string()));
    }
}

fn eventually_ended(process: &procs::Process<()>) {
    eventually("it has ended", || !process.is_alive());
}

#[procs::task]
fn get_one(queue: Queue<u32>, mark: std::path::PathBuf) {
    queue.get().expect("there is one");
    fs::write(mark, "got").expect("the folder is there");
    std::thread::sleep(2 * LIMIT);
}

#[test]
fn a_full_queue_whose_reader_died_says_so_and_goes_on_with_another() {
    let folder = Folder::new();
    let queue = Queue::new(3).unwrap();
    (0..3).for_each(|n| queue.put(&n).unwrap());
    let mark = folder.path("mark");
    let reader = procs::spawn(get_one, (queue.clone(), mark.clone())).unwrap();
    eventually("it has got one", || mark.exists());
    queue.put(&3).unwrap();
    reader.kill().unwrap();
    eventually_ended(&reader);
    assert_eq!(queue.try_put(&4), Err(PutError::Full));
    let short = Duration::from_millis(20);
    assert_eq!(queue.put_for(&4, short), Err(PutError::TimedOut));
    // One who waits goes on as soon as there is another reader.
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| queue.put_for(&4, LIMIT));
        let got: Vec<_> = (0..4).map(|_| queue.get_for(LIMIT).unwrap()).collect();
        assert_eq!(got, [1, 2, 3, 4]);
        writer.join().unwrap().unwrap();
    });
}
