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
//! }
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!("procs needs Linux: pidfds, memory files and descriptor passing");

extern crate self as procs;

mod codec;
mod keeper;
mod launch;
mod link;
mod page;
mod panic;
mod sys;
mod wake;
mod wire;
mod worker;

mod entry;
pub use entry::init;
pub use procs_macros::main;

mod task;
pub use procs_macros::task;
pub use task::Task;

mod fork;
pub use fork::{Fork, ForkedChild, fork, fork_checked};

mod process;
pub use process::{Process, ProcessBuilder, spawn};

mod pool;
pub use pool::{Job, Pool, PoolBuilder};

mod status;
pub use status::{ExitStatus, ResourceUsage};

mod info;
pub use info::{ProcessInfo, active_children, current, parent};

mod cpu;
pub use cpu::cpu_count;

mod error;
pub use error::{
    DecodeError, EncodeError, ForkError, JobError, Panicked, ProcessError, SpawnError, StartError,
    SystemError, TimedOut,
};

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

/// What the macros' expansions refer to. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use linkme;

    pub use crate::entry::before_main;
    pub use crate::task::{Entry, TASKS};
}
