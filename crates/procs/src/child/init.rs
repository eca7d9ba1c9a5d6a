//! The entry of a program: tells an ordinary start from that of a child, which runs its role here and exits.

use std::process;

use crate::child::bootstrap::{self, EntryPoint};
use crate::sys;
use crate::wire::marker::{self, INIT_TOO_LATE, Started};

/// Makes this program able to start processes of itself. Call it first in `main`.
///
/// A process starts by running this same program again. In such a child `init` does not return: it runs the task that
/// the parent asked for and exits. In an ordinary start it only notes that it was called, and returns at once; without
/// that note nothing can be spawned ([`SpawnError::InitMissing`](crate::SpawnError::InitMissing)), so that a forgotten `init` is an error and not an
/// endless chain of programs that start each other.
///
/// What stands before the call is done by every child too: argument parsing, log set-up, threads. Call it on the main
/// thread: elsewhere it does nothing in the program, and a child refuses its task
/// ([`StartError::NotOnMainThread`](crate::StartError::NotOnMainThread)). Leave standard input as it is before the call: a
/// child finds its parent there. A child that does not exits with an error
/// ([`StartError::InitTooLate`](crate::StartError::InitTooLate)). [`#[procs::main]`](macro@crate::main) calls it for you, and
/// [`test_support!`](crate::test_support) does the same in a test file, which has no `main` of its own.
///
/// ```
/// #[procs::task]
/// fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// fn main() {
///     procs::init();
///     let mut process = procs::spawn(double, 21).unwrap();
///     assert_eq!(process.join().unwrap(), 42);
/// }
/// ```
pub fn init() {
    match marker::started() {
        Started::Child(marker) => process::exit(bootstrap::live(
            &marker,
            EntryPoint::InMain(sys::is_main_thread()),
        )),
        Started::TooLate => refuse_too_late(),
        Started::Program if sys::is_main_thread() => marker::pass(),
        Started::Program => {}
    }
}

/// Ends a child that cannot reach its parent, so that it does not run `main` once more.
fn refuse_too_late() -> ! {
    eprintln!(
        "procs: the standard input of process {} was replaced before procs::init() was called; call it first in main",
        process::id()
    );
    process::exit(INIT_TOO_LATE)
}

/// What [`test_support!`](crate::test_support) runs before `main`.
///
/// Rust's runtime has not started yet, so it must be done by hand what the runtime does for `main`: SIGPIPE is ignored,
/// and the task runs on a thread of the standard library, which has a name and a guard page.
pub extern "C" fn before_main() {
    match marker::started() {
        Started::Program => marker::pass(),
        Started::TooLate => refuse_too_late(),
        Started::Child(marker) => {
            sys::ignore_sigpipe();
            process::exit(bootstrap::live(&marker, EntryPoint::BeforeMain));
        }
    }
}
