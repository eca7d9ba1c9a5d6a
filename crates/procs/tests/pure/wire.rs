//! The wire of the crate, without what needs the system.

#[path = "../../src/wire/codec/mod.rs"]
pub(crate) mod codec;
#[path = "../../src/wire/journal.rs"]
pub(crate) mod journal;
#[path = "../../src/wire/read_buffer.rs"]
mod read_buffer;
#[path = "../../src/wire/record.rs"]
mod record;
#[path = "../../src/wire/varint.rs"]
mod varint;

pub(crate) use read_buffer::ReadBuffer;
pub(crate) use record::{
    NO_JOB, Tag, decode_panic, encode_panic, encode_report, put_record, record,
};
pub(crate) use varint::{Corrupt, length_at, put_with_length};
