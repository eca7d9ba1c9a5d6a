//! The encoding of a ring's positions and item headers.
//!
//! A *position* is the number of an item in the upper bits of a word, and its place in the ring, in units of [`UNIT`], in
//! the lower bits. The number of bits for the place depends on the size of the ring. A *header* precedes each item: the
//! item's number in the upper 24 bits, its length in bytes in the lower 40.

/// Size of a unit in bytes.
pub(super) const UNIT: usize = 16;
/// Size of an item's header in bytes.
pub(super) const HEADER: usize = 8;

const LENGTH_BITS: u32 = 40;
/// The length in a header that sends a taker to the start of the ring. Also the mask of the length.
pub(super) const SKIP: u64 = (1 << LENGTH_BITS) - 1;

/// The number of an item and its place, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) number: u64,
    pub(super) place: usize,
}

/// The encoding of positions in a ring of one size.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) units: usize,
    place_bits: u32,
}

impl Layout {
    /// `size`: of the ring in bytes, a multiple of [`UNIT`] that is not zero.
    pub(super) fn new(size: usize) -> Self {
        let units = size / UNIT;
        Self {
            units,
            place_bits: usize::BITS - (units - 1).leading_zeros(),
        }
    }

    #[inline]
    pub(super) fn pack(self, position: Position) -> u64 {
        position.number << self.place_bits | position.place as u64
    }

    /// Decodes a position. `None`: its place is not in the ring.
    #[inline]
    pub(super) fn unpack(self, word: u64) -> Option<Position> {
        let place = (word & ((1 << self.place_bits) - 1)) as usize;
        if place >= self.units {
            return None;
        }
        Some(Position {
            number: self.number(word),
            place,
        })
    }

    /// Returns the number in an encoded position.
    #[inline]
    pub(super) fn number(self, word: u64) -> u64 {
        word >> self.place_bits
    }

    /// Returns the largest number, after which numbers begin again at zero.
    #[inline]
    pub(super) fn max_number(self) -> u64 {
        u64::MAX >> self.place_bits
    }

    /// Returns the number of items from one number to another.
    #[inline]
    pub(super) fn distance(self, from: u64, to: u64) -> u64 {
        to.wrapping_sub(from) & self.max_number()
    }

    /// Returns the position after an item that takes `room` units.
    #[inline]
    pub(super) fn after(self, number: u64, place: usize, room: usize) -> Position {
        let end = place + room;
        Position {
            number: number.wrapping_add(1) & self.max_number(),
            place: if end == self.units { 0 } else { end },
        }
    }
}

/// Returns the room that an item of `length` bytes takes, in units.
#[inline]
pub(super) fn room_of(length: usize) -> usize {
    (HEADER + length).div_ceil(UNIT)
}

/// Encodes a header. The upper bits of the number are cut off.
#[inline]
pub(super) fn header_of(number: u64, length: u64) -> u64 {
    number << LENGTH_BITS | length
}
