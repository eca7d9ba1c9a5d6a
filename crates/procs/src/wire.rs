//! What travels between a parent and a child: the set-up, frames of tasks one way, records of results the other.
//!
//! Parent to child: the length (u32) of the [`Setup`], the set-up, the length (u64) of the arguments that it needs, the
//! arguments; for a pool's worker then any number of frames. Child to parent: any number of records.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::codec::MAX_BYTES;
use crate::limits::RawLimit;

/// The largest payload of a record: the largest value, and as much again for a panic's backtrace or the like.
const MAX_PAYLOAD: usize = 2 * MAX_BYTES;

/// What a child must know before it can work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The parent's build; the child's must be the same.
    pub(crate) build: u64,
    /// How many processes lie between the child and the program's first.
    pub(crate) depth: u32,
    /// The child's name.
    pub(crate) name: String,
    /// The parent's name.
    pub(crate) parent_name: String,
    /// What the system shall allow it.
    pub(crate) limits: Vec<RawLimit>,
    /// Which of the standard streams are replaced by the first descriptors that come with this.
    pub(crate) replaced: [bool; 3],
    /// What the child shall do.
    pub(crate) duty: Duty,
}

/// What a child shall do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Duty {
    /// Run one task and end.
    Once(TaskName),
    /// Run the initializer, if there is one, then tasks until it is told to stop. A memory descriptor follows.
    Pool(Option<TaskName>),
}

/// A task, with all that must agree on both sides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskName {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) signature: String,
}

/// Why a child will not work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Refusal {
    BuildDiffers,
    UnknownTask(String),
    NotOnMainThread,
    /// Its working directory, outputs or limits could not be set: the system's error number.
    Surroundings(i32),
}

/// Frames from a parent to a worker.
pub(crate) mod frame {
    /// A run of tasks: id (u64), count (u32), length of the items (u64), then the items, each with its length.
    pub(crate) const TASKS: u8 = 1;
    /// No more will come: finish and exit.
    pub(crate) const STOP: u8 = 2;
    /// Everything after a revocation has been taken back; what follows is valid again.
    pub(crate) const RESUME: u8 = 3;
    /// The size of a TASKS frame before its items.
    pub(crate) const TASKS_HEADER: usize = 1 + 8 + 4 + 8;
}

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

/// The other side sent something that is no record.
#[derive(Debug)]
pub(crate) struct Corrupt;

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

/// Appends a length: seven bits a byte, lowest first.
pub(crate) fn put_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// Appends what `write` appends, with its length before it; nothing, if it fails.
pub(crate) fn put_with_length<E>(
    bytes: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let before = bytes.len();
    // Most lengths take one byte. Where one takes more, what was written makes room.
    bytes.push(0);
    if let Err(error) = write(bytes) {
        bytes.truncate(before);
        return Err(error);
    }
    let length = bytes.len() - before - 1;
    if length < 0x80 {
        bytes[before] = length as u8;
    } else {
        let mut prefix = Vec::new();
        put_length(&mut prefix, length);
        bytes.splice(before..=before, prefix);
    }
    Ok(())
}

/// Reads a length and how many bytes it took, or `None` while it is incomplete.
#[inline]
pub(crate) fn length_at(bytes: &[u8]) -> Result<Option<(usize, usize)>, Corrupt> {
    if let Some(&byte) = bytes.first()
        && byte < 0x80
    {
        return Ok(Some((usize::from(byte), 1)));
    }
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate() {
        if index == 6 {
            return Err(Corrupt);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value as usize, index + 1)));
        }
    }
    Ok(None)
}

/// Bytes that have arrived and are not yet understood.
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How much is asked of the kernel at once: little, until more comes. Many a process sends a few bytes in its life.
    step: usize,
}

impl ReadBuffer {
    const FIRST_STEP: usize = 4 * 1024;
    const STEP: usize = 128 * 1024;

    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            end: 0,
            step: Self::FIRST_STEP,
        }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            // One large value must not hold its memory for the rest of the process's life.
            if self.bytes.len() > 8 * Self::STEP {
                self.bytes = Vec::new();
            }
        }
    }

    /// Appends bytes that came another way.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Reads once; drops the first `skip` of what arrives. Returns how many bytes arrived, and whether there may be more.
    pub(crate) fn read_from(
        &mut self,
        mut source: impl Read,
        skip: usize,
    ) -> io::Result<(usize, bool)> {
        self.make_room(self.step);
        let room = &mut self.bytes[self.end..];
        let count = source.read(room)?;
        let full = count == room.len();
        if full {
            self.step = Self::STEP;
        }
        let dropped = skip.min(count);
        self.bytes
            .copy_within(self.end + dropped..self.end + count, self.end);
        self.end += count - dropped;
        Ok((count, full))
    }

    fn make_room(&mut self, count: usize) {
        if self.bytes.len() - self.end >= count {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.bytes.len() - self.end < count {
            let size = (self.end + count).max(2 * self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }
}
