//! Records from a child to its parent: a tag, the length of the payload, a checksum, the payload.
//!
//! The checksum covers the payload and the number of the job to which the record belongs. [`Record::is_of`] fails for a
//! record of another job, for one of a forked copy of the worker, and for bytes that were overwritten in shared memory.

use crate::error::Panicked;
use crate::wire::codec::{self, MAX_BYTES};
use crate::wire::varint::{Corrupt, length_at, put_length};

/// Largest payload of a record, in bytes: room for the largest value, and for a panic with its backtrace.
const MAX_PAYLOAD: usize = 2 * MAX_BYTES;

/// Kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// The child has applied its handshake and is ready.
    Ready = 1,
    /// The child does not serve: a [`Refusal`](crate::wire::Refusal).
    Refused,
    /// The initializer has run.
    Initialized,
    /// The worker has skipped the revoked tasks.
    Resumed,
    /// A task's result.
    Value,
    /// A task panicked: message, location, backtrace.
    Panicked,
    /// A task's arguments could not be decoded: the reason.
    BadArguments,
    /// A task's result could not be encoded: the reason.
    BadOutput,
}

impl Tag {
    /// Returns whether the record ends a task.
    pub(crate) fn is_result(self) -> bool {
        matches!(
            self,
            Self::Value | Self::Panicked | Self::BadArguments | Self::BadOutput
        )
    }

    fn from_byte(byte: u8) -> Option<Self> {
        const TAGS: [Tag; 8] = [
            Tag::Ready,
            Tag::Refused,
            Tag::Initialized,
            Tag::Resumed,
            Tag::Value,
            Tag::Panicked,
            Tag::BadArguments,
            Tag::BadOutput,
        ];
        let tag = TAGS.get(usize::from(byte).wrapping_sub(1)).copied();
        debug_assert!(tag.is_none_or(|tag| tag as u8 == byte));
        tag
    }
}

/// The size of a record without payload.
pub(crate) const EMPTY_RECORD: usize = 1 + 1 + CHECKSUM_SIZE;

/// The largest size of a record's bytes before its payload.
pub(crate) const MAX_HEAD: usize = 1 + 6 + CHECKSUM_SIZE;

/// The size of the checksum in bytes.
const CHECKSUM_SIZE: usize = size_of::<u64>();

/// Largest payload that the checksum covers, in bytes. Larger ones never lie in shared memory; only their length is covered.
const MAX_CHECKSUMMED: usize = 64 * 1024;

/// The job number of records that belong to no job of a pool.
pub(crate) const NO_JOB: u64 = 0;

/// A record at the start of some bytes.
pub(crate) struct Record<'a> {
    pub(crate) tag: Tag,
    pub(crate) payload: &'a [u8],
    /// The size of the whole record in bytes.
    pub(crate) size: usize,
    checksum: u64,
}

impl Record<'_> {
    /// Returns whether the record is whole and belongs to the job of this number.
    pub(crate) fn is_of(&self, job: u64) -> bool {
        self.checksum == checksum(job, self.tag, self.payload)
    }
}

/// Computes the checksum of a record and its job's number.
fn checksum(job: u64, tag: Tag, payload: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let mut state = mix(job, (payload.len() as u64) << 8 | tag as u64);
    if payload.len() <= MAX_CHECKSUMMED {
        let (words, rest) = payload.as_chunks::<8>();
        for word in words {
            state = mix(state, u64::from_le_bytes(*word));
        }
        let last = rest
            .iter()
            .fold(0, |last, byte| last << 8 | u64::from(*byte));
        state = mix(state, last);
    }
    state
}

/// Reads the record at the start of `bytes`, or `None` while it is incomplete.
pub(crate) fn record(bytes: &[u8]) -> Result<Option<Record<'_>>, Corrupt> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let tag = Tag::from_byte(first).ok_or(Corrupt)?;
    let Some((length, prefix)) = length_at(rest)? else {
        return Ok(None);
    };
    if length > MAX_PAYLOAD {
        // No child sends a longer payload.
        return Err(Corrupt);
    }
    let Some((checksum, rest)) = rest[prefix..].split_first_chunk::<CHECKSUM_SIZE>() else {
        return Ok(None);
    };
    let Some(payload) = rest.get(..length) else {
        return Ok(None);
    };
    Ok(Some(Record {
        tag,
        payload,
        size: 1 + prefix + CHECKSUM_SIZE + length,
        checksum: u64::from_le_bytes(*checksum),
    }))
}

/// Appends the record of a job.
#[inline]
pub(crate) fn put_record(bytes: &mut Vec<u8>, job: u64, tag: Tag, payload: &[u8]) {
    bytes.push(tag as u8);
    put_length(bytes, payload.len());
    bytes.extend_from_slice(&checksum(job, tag, payload).to_le_bytes());
    bytes.extend_from_slice(payload);
}

/// Encodes a panic as a record's payload.
pub(crate) fn encode_panic(panicked: &Panicked) -> Vec<u8> {
    let fields = (
        panicked.message(),
        panicked.location(),
        panicked.backtrace(),
    );
    codec::to_vec(&fields).unwrap_or_default()
}

/// Encodes a panic as a payload of at most `limit` bytes: without its backtrace, and with a message that is cut to fit.
pub(crate) fn encode_report(panicked: &Panicked, limit: usize) -> Vec<u8> {
    let place = panicked.location().map(str::to_owned);
    let room = limit.saturating_sub(place.as_ref().map_or(0, String::len) + 64);
    let message = panicked.message();
    let message = &message[..message.floor_char_boundary(room)];
    encode_panic(&Panicked::new(message.to_owned(), place, None))
}

/// Decodes a panic from a record's payload.
pub(crate) fn decode_panic(payload: &[u8]) -> Panicked {
    let (message, location, backtrace) = codec::decode(payload)
        .unwrap_or_else(|_| ("its message could not be read".to_owned(), None, None));
    Panicked::new(message, location, backtrace)
}
