//! Shared memory is the same for everybody who has it, and goes with its last user.

use std::fs;

use procs::{Descriptor, SharedArray, SharedMemory, SharedValue, channel};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::LIMIT;

#[procs::task]
fn add(total: SharedValue<f64>, times: u32) {
    for _ in 0..times {
        total.update(|n| n + 0.5);
    }
}

#[test]
fn updates_are_one_step() {
    let total = SharedValue::new(1.0).unwrap();
    let start = |_| procs::spawn(add, (total.clone(), 10_000)).unwrap();
    let processes: Vec<_> = (0..3).map(start).collect();
    for _ in 0..10_000 {
        total.update(|n| n + 0.5);
    }
    for mut process in processes {
        process.join_for(LIMIT).unwrap();
    }
    assert_eq!(total.get(), 20_001.0);
}

#[procs::task]
fn fill(array: SharedArray<i16>) -> usize {
    for index in 0..array.len() {
        array.set(index, -(index as i16));
    }
    array.len()
}

#[test]
fn arrays_are_shared_and_outlive_their_maker() {
    let array = SharedArray::<i16>::new(1001).unwrap();
    assert_eq!(array.get(1000), 0);
    let mut process = procs::spawn(fill, array.clone()).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), 1001);
    let expected: Vec<_> = (0..1001).map(|n| -n).collect();
    assert_eq!(array.to_vec(), expected);
    // SAFETY: the process that wrote to it has ended.
    assert_eq!(unsafe { array.as_slice() }, expected);
    assert!(SharedArray::<u8>::new(0).unwrap().to_vec().is_empty());
}

#[test]
fn parts_of_words_are_written_without_their_neighbours() {
    let memory = SharedMemory::new(100).unwrap();
    let mut expected = vec![0; 100];
    for (start, end) in [
        (0, 100),
        (3, 5),
        (7, 9),
        (1, 17),
        (8, 16),
        (99, 100),
        (50, 50),
    ] {
        let bytes: Vec<u8> = (start..end).map(|n| (n * 7 + end) as u8).collect();
        memory.write(start, &bytes);
        expected[start..end].copy_from_slice(&bytes);
        let mut all = vec![0; 100];
        memory.read(0, &mut all);
        assert_eq!(all, expected);
        let mut part = vec![0; end - start];
        memory.read(start, &mut part);
        assert_eq!(part, bytes);
    }
}

#[test]
fn copies_of_every_length_and_alignment_are_exact() {
    let memory = SharedMemory::new(1200).unwrap();
    for length in (0..300).chain(1000..1100) {
        for offset in [0, 1, 7, 8, 9, 63] {
            memory.write(0, &[0xEE; 1200]);
            let bytes: Vec<u8> = (0..length).map(|n| (n * 7 + offset) as u8).collect();
            memory.write(offset, &bytes);
            let mut all = vec![0; 1200];
            memory.read(0, &mut all);
            let (before, rest) = all.split_at(offset);
            let (middle, after) = rest.split_at(length);
            assert_eq!(middle, bytes);
            assert!(before.iter().chain(after).all(|byte| *byte == 0xEE));
            let mut part = vec![0; length];
            memory.read(offset, &mut part);
            assert_eq!(part, bytes);
        }
    }
}

#[test]
#[should_panic(expected = "outside a shared memory of 10 bytes")]
fn reads_beyond_the_end_panic() {
    SharedMemory::new(10).unwrap().read(8, &mut [0; 3]);
}

#[procs::task]
fn make(size: usize) -> String {
    let memory = SharedMemory::new(size).expect("there is memory");
    memory.write(size - 4, b"last");
    let (here, there) = channel::<SharedMemory>().expect("the system makes one");
    here.send(&memory).expect("there is room");
    drop(memory);
    let again = there.receive().expect("it was sent");
    let mut bytes = [0; 4];
    again.read(size - 4, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn large_memory_is_handed_over_without_a_copy() {
    let mut process = procs::spawn(make, 1 << 36).unwrap();
    assert_eq!(process.join_for(LIMIT).unwrap(), "last");
    assert!(SharedMemory::new(usize::MAX).is_err());
}

/// Is sent as one thing and received as another.
#[derive(Debug)]
struct Disguise<S, R>(Option<S>, Option<R>);

impl<S: Serialize, R> Serialize for Disguise<S, R> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        self.0
            .as_ref()
            .expect("it is on its way out")
            .serialize(serializer)
    }
}

impl<'de, S, R: Deserialize<'de>> Deserialize<'de> for Disguise<S, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::deserialize(deserializer).map(|value| Self(None, Some(value)))
    }
}

/// What is not sealed could shrink under the reader's feet.
#[test]
fn foreign_files_are_no_shared_memory() {
    let file = Descriptor::new(fs::File::open("/proc/self/exe").unwrap());
    let (here, there) = channel::<Disguise<(Descriptor, u64), SharedValue<u32>>>().unwrap();
    here.send(&Disguise(Some((file, 1)), None)).unwrap();
    let error = there.receive().unwrap_err();
    assert!(error.to_string().contains("no shared memory"), "{error}");
}
