//! Records from a child to its parent: a tag, the length of the payload, the payload.

use crate::error::Panicked;
use crate::wire::codec::MAX_BYTES;
use crate::wire::varint::{Corrupt, length_at, put_length};

/// The largest payload of a record: the largest value, and as much again for a panic's backtrace or the like.
const MAX_PAYLOAD: usize = 2 * MAX_BYTES;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// The child has taken its set-up and is ready for work.
    Ready = 1,
    /// The child will not work: a [`Refusal`].
    Refused,
    /// The initializer has run.
    Initialized,
    /// The worker has skipped what was taken back.
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

/// A record at the start of some bytes.
pub(crate) struct Record<'a> {
    pub(crate) tag: Tag,
    pub(crate) payload: &'a [u8],
    /// How many bytes the whole record takes.
    pub(crate) size: usize,
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
        // Nobody sends so much: these bytes are something else.
        return Err(Corrupt);
    }
    let Some(payload) = rest.get(prefix..prefix + length) else {
        return Ok(None);
    };
    Ok(Some(Record {
        tag,
        payload,
        size: 1 + prefix + length,
    }))
}

/// Appends a record's first bytes; the payload of this length must follow.
pub(crate) fn put_record_head(bytes: &mut Vec<u8>, tag: Tag, length: usize) {
    bytes.push(tag as u8);
    put_length(bytes, length);
}

/// A panic as a record's payload.
pub(crate) fn encode_panic(panicked: &Panicked) -> Vec<u8> {
    let fields = (
        panicked.message(),
        panicked.location(),
        panicked.backtrace(),
    );
    postcard::to_stdvec(&fields).unwrap_or_default()
}

/// A panic from a record's payload.
pub(crate) fn decode_panic(payload: &[u8]) -> Panicked {
    let (message, location, backtrace) = postcard::from_bytes(payload)
        .unwrap_or_else(|_| ("its message could not be read".to_owned(), None, None));
    Panicked::new(message, location, backtrace)
}
