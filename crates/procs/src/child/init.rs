//! The entry of a program. In a child it runs the child's role and exits; in an ordinary start it returns.

use std::process;

use crate::child::bootstrap::{self, EntryPoint};
use crate::sys;
use crate::wire::marker::{self, INIT_TOO_LATE, Started};

/// Enables this program to start processes of itself. Call it first in `main`.
///
/// A process starts by running this same program again. In such a child `init` does not return: it runs the task of its
/// parent and exits. In an ordinary start it records the call and returns at once. Without that record nothing can be
/// spawned ([`SpawnError::InitMissing`](crate::SpawnError::InitMissing)). A forgotten `init` is therefore an error, not an
/// endless chain of programs that start each other.
///
/// Every child also runs the code before the call, such as argument parsing, log set-up and threads. Three rules follow:
///
/// - Call it on the main thread. On another thread it does nothing in the program, and a child refuses its task
///   ([`StartError::NotOnMainThread`](crate::StartError::NotOnMainThread)).
/// - Do not replace standard input before the call: in a child it is the socket to the parent. A child without it exits
///   with an error ([`StartError::InitTooLate`](crate::StartError::InitTooLate)).
/// - In a test file, which has no `main` of its own, use [`test_support!`](crate::test_support).
///   [`#[procs::main]`](macro@crate::main) calls `init` for you.
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
        Started::Child(marker) => {
            let entry_point = if sys::is_main_thread() {
                EntryPoint::InMain
            } else {
                EntryPoint::OnOtherThread
            };
            process::exit(bootstrap::run_child(&marker, entry_point))
        }
        Started::TooLate => refuse_too_late(),
        Started::Program if sys::is_main_thread() => marker::mark_initialized(),
        Started::Program => {}
    }
}

/// Ends a child that cannot reach its parent, so that it does not run `main` as the program does.
fn refuse_too_late() -> ! {
    eprintln!(
        "procs: the standard input of process {} was replaced before procs::init() was called; call it first in main",
        process::id()
    );
    process::exit(INIT_TOO_LATE)
}

/// Does the work of [`init`] before `main`, for [`test_support!`](crate::test_support).
///
/// Rust's runtime has not started yet, so this function does its work: it ignores SIGPIPE, and runs the task on a thread of
/// the standard library, which has a name and a guard page.
pub extern "C" fn before_main() {
    match marker::started() {
        Started::Program => marker::mark_initialized(),
        Started::TooLate => refuse_too_late(),
        Started::Child(marker) => {
            sys::ignore_sigpipe();
            process::exit(bootstrap::run_child(&marker, EntryPoint::BeforeMain));
        }
    }
}
