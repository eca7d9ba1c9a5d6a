//! What the wire does without a system call: values, records, read bytes, the journal, copies to and from shared memory.
//!
//! `cargo +nightly miri test -p procs --test pure` has each access checked. The files under test are those of the crate,
//! compiled here once more; shared memory is an allocation of this process.

// The files have more functions than the tests call.
#![allow(dead_code)]

mod error;
mod sys;
mod wire;

mod copies;
mod journals;
mod records;
mod values;

/// Miri takes some ten thousand times as long: it sees one case of so many.
const fn one_of(count: usize) -> usize {
    if cfg!(miri) { count } else { 1 }
}
