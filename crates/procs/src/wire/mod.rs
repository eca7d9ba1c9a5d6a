//! The protocol of a parent and its child: the handshake, frames of tasks to the child, records of results to the parent.
//!
//! `host` and `child` import this layer. It imports neither of them.

pub(crate) mod attachments;
pub(crate) mod codec;
pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod journal;
pub(crate) mod marker;
mod read_buffer;
mod record;
pub(crate) mod spare;
mod varint;

pub(crate) use handshake::{Refusal, Role, START_DEADLINE, Setup, TaskName, refusal_of};
pub(crate) use read_buffer::ReadBuffer;
pub(crate) use record::{
    EMPTY_RECORD, MAX_HEAD, NO_JOB, Record, Tag, decode_panic, encode_panic, encode_report,
    put_record, record,
};
pub(crate) use varint::{Corrupt, length_at, put_with_length};
