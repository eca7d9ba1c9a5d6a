//! Records from a child to its parent: a tag, the length of the payload, a seal, the payload.
//!
//! The seal mixes the payload with the number of the job to which the record belongs. A record of another job, of a copy
//! of the worker, or one whose bytes were overwritten in shared memory does not pass [`Record::is_of`].

use crate::error::Panicked;
use crate::wire::codec::{self, MAX_BYTES};
use crate::wire::varint::{Corrupt, length_at, put_length};

/// The largest payload of a record: the largest value, and as much again for a panic's backtrace or the like.
const MAX_PAYLOAD: usize = 2 * MAX_BYTES;

/// Kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// The child has applied its handshake and is ready.
    Ready = 1,
    /// The child cannot work: a [`Refusal`](crate::wire::Refusal).
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
    /// Whether the record ends a task.
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
pub(crate) const EMPTY_RECORD: usize = 1 + 1 + SEAL;

/// The largest size of a record's bytes before its payload.
pub(crate) const MAX_HEAD: usize = 1 + 6 + SEAL;

/// The size of the seal.
const SEAL: usize = size_of::<u64>();

/// Larger payloads do not travel through shared memory; only their length is sealed.
const MAX_SEALED: usize = 64 * 1024;

/// The number of records that belong to no job of a pool.
pub(crate) const NO_JOB: u64 = 0;

/// A record at the start of some bytes.
pub(crate) struct Record<'a> {
    pub(crate) tag: Tag,
    pub(crate) payload: &'a [u8],
    /// The size of the whole record in bytes.
    pub(crate) size: usize,
    seal: u64,
}

impl Record<'_> {
    /// Whether the record is whole and belongs to the job of this number.
    pub(crate) fn is_of(&self, job: u64) -> bool {
        self.seal == seal(job, self.tag, self.payload)
    }
}

/// Computes the checksum of a record and its job's number.
fn seal(job: u64, tag: Tag, payload: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let mut state = mix(job, (payload.len() as u64) << 8 | tag as u64);
    if payload.len() <= MAX_SEALED {
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
        // No child sends a longer payload: the bytes are no record.
        return Err(Corrupt);
    }
    let Some((seal, rest)) = rest[prefix..].split_first_chunk::<SEAL>() else {
        return Ok(None);
    };
    let Some(payload) = rest.get(..length) else {
        return Ok(None);
    };
    Ok(Some(Record {
        tag,
        payload,
        size: 1 + prefix + SEAL + length,
        seal: u64::from_le_bytes(*seal),
    }))
}

/// Appends the record of a job.
#[inline]
pub(crate) fn put_record(bytes: &mut Vec<u8>, job: u64, tag: Tag, payload: &[u8]) {
    bytes.push(tag as u8);
    put_length(bytes, payload.len());
    bytes.extend_from_slice(&seal(job, tag, payload).to_le_bytes());
    bytes.extend_from_slice(payload);
}

/// A panic as a record's payload.
pub(crate) fn encode_panic(panicked: &Panicked) -> Vec<u8> {
    let fields = (
        panicked.message(),
        panicked.location(),
        panicked.backtrace(),
    );
    codec::to_vec(&fields).unwrap_or_default()
}

/// A panic as a record's payload of at most `limit` bytes: without the backtrace, and with a part of the message if need be.
pub(crate) fn encode_report(panicked: &Panicked, limit: usize) -> Vec<u8> {
    let place = panicked.location().map(str::to_owned);
    let room = limit.saturating_sub(place.as_ref().map_or(0, String::len) + 64);
    let message = panicked.message();
    let message = &message[..message.floor_char_boundary(room)];
    encode_panic(&Panicked::new(message.to_owned(), place, None))
}

/// A panic from a record's payload.
pub(crate) fn decode_panic(payload: &[u8]) -> Panicked {
    let (message, location, backtrace) = codec::decode(payload)
        .unwrap_or_else(|_| ("its message could not be read".to_owned(), None, None));
    Panicked::new(message, location, backtrace)
}
