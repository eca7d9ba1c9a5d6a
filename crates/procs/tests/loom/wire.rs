//! The journal of the crate.

#[path = "../../src/wire/journal.rs"]
pub(crate) mod journal;
#[path = "../../src/wire/varint.rs"]
mod varint;

pub(crate) use varint::Corrupt;
