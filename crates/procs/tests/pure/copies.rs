//! Copies to and from shared memory, at every alignment.

use crate::one_of;
use crate::sys::SharedMap;

const SIZE: usize = 160;

/// Offsets and counts of bytes, below and above the size from which vector registers are used.
fn places() -> impl Iterator<Item = (usize, usize)> {
    let counts = (0..20).chain([127, 128, 129, 150]);
    let places = (0..9).flat_map(move |offset| counts.clone().map(move |count| (offset, count)));
    places.step_by(one_of(7))
}

/// Bytes of which each differs from its neighbours.
fn pattern(count: usize) -> Vec<u8> {
    (1..=count).map(|index| index as u8).collect()
}

#[test]
fn bytes_come_back_from_every_place_and_leave_their_neighbours() {
    for (offset, count) in places() {
        let map = SharedMap::new(SIZE).unwrap();
        let mut expected = vec![0; SIZE];
        expected[offset..offset + count].copy_from_slice(&pattern(count));
        map.write(offset, &pattern(count));
        let mut all = vec![0xff; SIZE];
        map.read(0, &mut all);
        assert_eq!(all, expected);
    }
}

#[test]
fn bytes_are_appended_from_every_place() {
    let map = SharedMap::new(SIZE).unwrap();
    let all = pattern(SIZE);
    map.write(0, &all);
    for (offset, count) in places() {
        let mut bytes = vec![7; 3];
        map.append_to(&mut bytes, offset, count);
        assert_eq!(bytes[..3], [7; 3]);
        assert_eq!(bytes[3..], all[offset..offset + count]);
    }
}
