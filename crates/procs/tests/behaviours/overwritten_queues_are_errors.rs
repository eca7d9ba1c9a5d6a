//! A process that overwrites the memory of a queue breaks the queue, and neither crashes nor blocks the others.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::thread;

use procs::{
    Descriptor, GetError, JoinableQueue, PutError, Queue, ReceiveError, WaitError, channel,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::LIMIT;

/// Is sent as one type and received as another.
struct Disguise<S, R>(Option<S>, Option<R>);

impl<S: Serialize, R> Serialize for Disguise<S, R> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.0.as_ref().expect("it is sent").serialize(serializer)
    }
}

impl<'de, S, R: Deserialize<'de>> Deserialize<'de> for Disguise<S, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::deserialize(deserializer).map(|value| Self(None, Some(value)))
    }
}

/// Sends a value as one type and receives it as another.
fn disguised<S: Serialize, R: for<'de> Deserialize<'de>>(value: S) -> Result<R, ReceiveError> {
    let (here, there) = channel::<Disguise<S, R>>().unwrap();
    here.send(&Disguise(Some(value), None)).unwrap();
    Ok(there.receive()?.1.expect("it was received"))
}

fn memory_of<T>(queue: &Queue<T>) -> (File, u64) {
    let parts: Result<(Descriptor, u64), _> = disguised(queue.clone());
    let (memory, size) = parts.unwrap();
    (File::from(memory.into_inner()), size)
}

/// Bytes of a simple generator: the same in every run.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[procs::task]
fn overwrite(queue: Queue<Vec<u8>>, seed: u64) {
    let (memory, size) = memory_of(&queue);
    let count = size as usize + 4096;
    let bytes = match seed {
        0 => vec![0; count],
        1 => vec![0xFF; count],
        seed => noise(seed, count),
    };
    memory
        .write_all_at(&bytes, 0)
        .expect("every user may write");
}

/// Puts until it cannot.
fn put_all(queue: &Queue<Vec<u8>>) -> PutError {
    loop {
        if let Err(error) = queue.put(&vec![1; 100]) {
            return error;
        }
    }
}

/// Gets until it cannot; forged values may come.
fn get_all(queue: &Queue<Vec<u8>>) -> GetError {
    loop {
        match queue.get() {
            Ok(_) | Err(GetError::Decode(_)) => {}
            Err(error) => return error,
        }
    }
}

#[test]
fn users_at_work_get_errors() {
    for seed in 0..24 {
        let queue = Queue::<Vec<u8>>::with_bytes(50, 4096).unwrap();
        let (putter, getter) = (queue.clone(), queue.clone());
        let putter = thread::spawn(move || put_all(&putter));
        let getter = thread::spawn(move || get_all(&getter));
        let mut process = procs::spawn(overwrite, (queue.clone(), seed)).unwrap();
        process.join_for(LIMIT).unwrap();
        let (put, got) = (putter.join().unwrap(), getter.join().unwrap());
        // Noise may say that the queue is closed; then the others find it broken or closed, too.
        assert!(matches!(put, PutError::Broken | PutError::Closed), "{put}");
        assert!(matches!(got, GetError::Broken | GetError::Closed), "{got}");
        assert_eq!(queue.close(), Err(WaitError::Broken));
    }
}

#[test]
fn sleepers_wake_up_and_get_errors() {
    for seed in 0..3 {
        let empty = Queue::<Vec<u8>>::with_bytes(2, 4096).unwrap();
        let full = Queue::<Vec<u8>>::with_bytes(1, 4096).unwrap();
        full.put(&vec![]).unwrap();
        let (getter, putter) = (empty.clone(), full.clone());
        let getter = thread::spawn(move || get_all(&getter));
        let putter = thread::spawn(move || putter.put(&vec![]));
        let mut processes =
            [&empty, &full].map(|queue| procs::spawn(overwrite, (queue.clone(), seed)).unwrap());
        for process in &mut processes {
            process.join_for(LIMIT).unwrap();
        }
        assert_eq!(getter.join().unwrap(), GetError::Broken);
        assert_eq!(putter.join().unwrap(), Err(PutError::Broken));
    }
}

#[test]
fn joiners_wake_up_and_get_errors() {
    for seed in 0..3 {
        let queue = JoinableQueue::<Vec<u8>>::with_bytes(2, 4096).unwrap();
        queue.put(&vec![]).unwrap();
        let joiner = thread::spawn({
            let queue = queue.clone();
            move || queue.join()
        });
        let plain: Queue<Vec<u8>> = disguised(queue.clone()).unwrap();
        let mut process = procs::spawn(overwrite, (plain, seed)).unwrap();
        process.join_for(LIMIT).unwrap();
        assert_eq!(joiner.join().unwrap(), Err(WaitError::Broken));
        assert!(queue.task_done().is_err());
    }
}

#[test]
fn damaged_items_are_errors() {
    // Only the items are overwritten: the positions and the locks stay valid.
    let queue = Queue::<u32>::with_bytes(10, 4096).unwrap();
    queue.put(&7).unwrap();
    let (memory, size) = memory_of(&queue);
    memory.write_all_at(&noise(5, size as usize), 4096).unwrap();
    assert_eq!(queue.try_get(), Err(GetError::Broken));
    assert_eq!(queue.get_for(LIMIT), Err(GetError::Broken));
}

#[test]
fn memory_of_any_other_kind_is_no_queue() {
    let refused = |error: ReceiveError| {
        assert!(error.to_string().contains("no queue"), "{error}");
    };
    let memory = procs::SharedMemory::new(8192).unwrap();
    refused(disguised::<_, Queue<u32>>(memory).unwrap_err());
    let lock = procs::sync::Lock::new().unwrap();
    assert!(disguised::<_, Queue<u32>>(lock).is_err());
    let queue = Queue::<u32>::with_bytes(10, 8192).unwrap();
    for size in [0, 1, 16, 4096, 8191, 8208, 16384, u64::MAX, u64::MAX - 4095] {
        let parts: (Descriptor, u64) = disguised(queue.clone()).unwrap();
        refused(disguised::<_, Queue<u32>>((parts.0, size)).unwrap_err());
    }
}
