//! Our crates against their peers: every headline ratio, measured in turn in one run, with its target beside it.
//!
//! A [`Contest`] holds what does the same work, ours and theirs, runs each once in every round, and turns its goals
//! into [`Row`]s: the median of the rounds' ratios and whether the target is met. Each crate has a module with `rows`.
//!
//! Behind the cargo feature `peers`, since the peers have to be compiled first.

pub mod aio;
pub mod aio_http;
// One allocator that counts, and its unsafe code, for both: a test of `coroutines` has nowhere else to take it from.
#[path = "../../../crates/coroutines/tests/common/allocations.rs"]
mod allocations;
mod command;
mod contest;
pub mod coroutines;
mod original;
pub mod procs;
pub mod python;
mod row;
mod server;
mod spread;
mod table;
pub mod threads;

pub use allocations::allocations;
pub use command::Peers;
pub use contest::Contest;
pub use row::{Row, Target, Unit};
pub use spread::Spread;
pub use table::Table;

/// Rounds of a table: enough for a median that one noisy round does not move.
pub const ROUNDS: usize = 9;

/// Prints the table of `rows` when the program was asked for it (`-- table`), and says whether it was.
///
/// For the criterion benches, whose table is one argument away.
pub fn print_when_asked(rows: fn(usize) -> Vec<Row>) -> bool {
    let asked = std::env::args().any(|argument| argument == "table");
    if asked {
        print!("{}", Table(&rows(ROUNDS)));
    }
    asked
}
