//! The `#[procs::task]` and `#[procs::main]` attributes of the procs crate.
//!
//! Use them through `procs`, which re-exports both and documents what a task is:
//!
//! ```text
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

mod entry;
mod options;
mod task;

use proc_macro::TokenStream;

/// Makes a free function a task: a function that can be called in another process.
///
/// See `procs::task` for the rules and an example.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(options.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Calls `procs::init()` first in `main`.
///
/// See `procs::main` for an example.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(options.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
