//! Python's multiprocessing for Rust: processes and pools that never hang and never lose a task.
//!
//! ```
//! #[procs::task]
//! fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! #[procs::main]
//! fn main() {
//!     let mut process = procs::spawn(square, 7).unwrap();
//!     assert_eq!(process.join().unwrap(), 49);
//!
//!     let pool = procs::Pool::new(2).unwrap();
//!     assert_eq!(pool.map_collect(square, [1, 2, 3]).unwrap(), [1, 4, 9]);
//! }
//! ```
//!
//! | for | see |
//! |---|---|
//! | functions that can run in another process | [`task`](macro@task), [`Task`]; [`init`] or [`main`](macro@main) in the program, [`test_support!`] in a test file |
//! | one function in a process of its own | [`spawn`], [`Process`], [`ProcessBuilder`]; [`Limit`], [`Stdio`], [`StartMethod`] |
//! | many calls on a fixed number of processes | [`Pool`], [`PoolBuilder`], [`Job`], [`Imap`]; [`as_completed`], [`wait`], [`wait_for`] |
//! | messages | [`channel`], [`Connection`]; [`Queue`], [`JoinableQueue`]; any open file as a [`Descriptor`] |
//! | shared memory | [`SharedMemory`], [`SharedArray`], [`SharedValue`] |
//! | locks, semaphores, conditions, events, barriers | [`sync`] |
//! | dictionaries, lists and counters that processes share | [`Manager`], [`manager`] |
//! | other programs, with input, output and a time limit | [`command`] |
//! | duplicates of this process | [`fork`](fn@fork), [`fork_checked`] |
//! | this process and its children | [`current`], [`parent`], [`active_children`], [`cpu_count`] |
//! | the end of a process | [`ExitStatus`], [`ResourceUsage`] |
//! | errors | [`SpawnError`], [`StartError`], [`ProcessError`], [`JobError`], [`CommandError`], [`ForkError`], [`SendError`], [`ReceiveError`], [`PutError`], [`GetError`], [`TimedOut`], [`SystemError`] |

#![warn(missing_debug_implementations, unreachable_pub)]

#[cfg(not(target_os = "linux"))]
compile_error!("procs needs Linux: pidfds, memory files and descriptor passing");

extern crate self as procs;

mod child;
mod command;
mod error;
mod host;
mod ipc;
mod pool;
mod process;
mod sys;
mod task;
mod wire;

pub use child::init::init;

/// Calls [`init`] first in `main`, so that a child process is recognised before anything else happens.
///
/// It stands above or below the attribute of an async runtime: the runtime starts after the check.
///
/// ```
/// #[procs::main]
/// fn main() {
///     assert!(procs::parent().is_none());
/// }
/// ```
///
/// ```
/// #[procs::main]
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() {
///     assert!(procs::parent().is_none());
/// }
/// ```
pub use procs_macros::main;

/// Makes a free function a task: a function that can be called in another process.
///
/// The function can still be called as usual. Its name becomes a value of a type of its own, which implements [`Task`] and is
/// passed to [`spawn`], [`Pool::submit`] and the like. So the compiler refuses a function that is not a task. A function
/// item cannot offer that: stable Rust has no name for its type, for which [`Task`] could be implemented.
///
/// Two consequences, each with its cure:
///
/// - The value is not a function: `items.map(square)` on an iterator is an error (E0277). Write `items.map(*square)`.
/// - A local variable in its scope cannot have the same name: `let square = …` is an error (E0308 or E0530). Choose another
///   name.
///
/// With `#[procs::task(value = Name)]` the function stays a plain function and the value gets that name. Neither error
/// occurs then:
///
/// ```
/// #[procs::task(value = Square)]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[procs::main]
/// fn main() {
///     let squares: Vec<_> = [1, 2, 3].into_iter().map(square).collect();
///     assert_eq!(squares, [1, 4, 9]);
///     let square = procs::spawn(Square, 7).unwrap().join().unwrap();
///     assert_eq!(square, 49);
/// }
/// ```
///
/// Arguments and result are owned values that serde can serialize, because they travel as bytes. Several arguments are
/// given as a tuple, none as `()`. A task may return a `Result`, which arrives as it is; a panic in it arrives as an error.
///
/// The compiler refuses generic functions, `async`, `unsafe` and `extern` ones, methods with `self`, and borrowed
/// arguments, each with a sentence on what to do instead. An associated function that does not name `Self` looks
/// like a free one to the macro: the compiler's error there is that a struct is not supported in an `impl` block. Move the
/// function out.
///
/// `#[procs::task(crate = path)]` names the crate where it is not called `procs`.
///
/// ```
/// use std::collections::HashMap;
///
/// /// Counts words.
/// #[procs::task]
/// pub fn count(text: String, ignore: Vec<String>) -> HashMap<String, usize> {
///     let mut counts = HashMap::new();
///     for word in text.split_whitespace().filter(|word| !ignore.iter().any(|other| other == word)) {
///         *counts.entry(word.to_owned()).or_default() += 1;
///     }
///     counts
/// }
///
/// #[procs::main]
/// fn main() {
///     let arguments = ("to be or not to be".to_owned(), vec!["or".to_owned()]);
///     let mut process = procs::spawn(count, arguments).unwrap();
///     assert_eq!(process.join().unwrap()["be"], 2);
///     assert_eq!(count("a a".to_owned(), vec![])["a"], 2);
/// }
/// ```
pub use procs_macros::task;
pub use task::Task;

pub use command::output::Output;
pub use command::{Command, command};
pub use error::{
    BarrierError, CommandError, ConditionError, CreateError, DecodeError, EncodeError, EventError,
    ForkError, GetError, InvalidOption, JobError, LockError, ManagerError, Panicked, ProcessError,
    PutError, ReceiveError, ReleaseError, SendError, SignalError, SpawnError, StartError,
    SubmitError, SystemError, TaskDoneError, TimedOut, WaitError,
};
pub use host::child::StartMethod;
pub use ipc::channel::{Connection, ReceiveIter, TryReceiveIter, channel};
pub use ipc::manager::{self, Manager};
pub use ipc::queue::{self, JoinableQueue, Queue};
pub use ipc::shm::{Plain, SharedArray, SharedMemory, SharedValue};
pub use ipc::sync;
pub use pool::{
    AsCompleted, Imap, Job, Pool, PoolBuilder, PoolStats, Shutdown, WaitFor, as_completed, wait,
    wait_for,
};
pub use process::builder::ProcessBuilder;
pub use process::cpu::cpu_count;
pub use process::fork::{Fork, ForkedChild, fork, fork_checked};
pub use process::group::ProcessGroup;
pub use process::info::{ProcessInfo, active_children, current, parent};

pub use process::limits::Limit;
pub use process::status::{ExitStatus, ResourceUsage};
pub use process::stdio::Stdio;
pub use process::{Process, spawn};
pub use wire::attachments::Descriptor;

/// Lets the tests of a file start processes. Write it once at the top of a file in `tests/`, or in `lib.rs` under
/// `#[cfg(test)]`.
///
/// A test file has no `main` of its own in which [`init`] could be called. This macro has the linker run the same check
/// before `main`. In an ordinary run of the tests it does nothing.
///
/// ```
/// procs::test_support!();
///
/// #[procs::task]
/// fn answer() -> u32 {
///     42
/// }
///
/// # fn main() {
/// let mut process = procs::spawn(answer, ()).unwrap();
/// assert_eq!(process.join().unwrap(), 42);
/// # }
/// ```
#[macro_export]
macro_rules! test_support {
    () => {
        const _: () = {
            // SAFETY: the section holds pointers to functions that the C runtime calls before main, with arguments that
            // the callee does not look at; it does nothing that needs Rust's runtime (see its documentation).
            #[used]
            #[unsafe(link_section = ".init_array")]
            static BEFORE_MAIN: extern "C" fn() = $crate::__private::before_main;
        };
    };
}

/// Items that the macros' expansions name. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use linkme;

    pub use crate::child::init::before_main;
    pub use crate::task::{Entry, TASKS};

    /// Has the thread that watches this program's processes panic: for the test that no wait outlasts it.
    pub fn fail_monitor() {
        crate::host::monitor::Monitor::fail();
    }
}

/// Runs the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
