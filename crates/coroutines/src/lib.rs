//! Python's generator protocol for stable Rust: typed, without heap, as fast as a hand-written loop.
//!
//! ```
//! use coroutines::{Co, CoroutineExt, CoroutineState::Yielded, coroutine, generator};
//! use std::pin::pin;
//!
//! // A generator is an `async` closure that yields through the handle it is given.
//! let fibonacci = pin!(generator(async |mut co: Co<'_, u64>| {
//!     let (mut a, mut b) = (0, 1);
//!     loop {
//!         co.yield_(a).await;
//!         (a, b) = (b, a + b);
//!     }
//! }));
//! assert_eq!(fibonacci.take(8).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8, 13]);
//!
//! // A coroutine also gets a value with each resume, the first one included.
//! let mut average = pin!(coroutine(async |mut co: Co<'_, f64, f64>, first| -> () {
//!     let (mut sum, mut n) = (first, 1.0);
//!     loop {
//!         sum += co.yield_(sum / n).await;
//!         n += 1.0;
//!     }
//! }));
//! assert_eq!(average.send(10.0), Yielded(10.0));
//! assert_eq!(average.send(20.0), Yielded(15.0));
//! ```
//!
//! # Make one
//!
//! - [`generator`]: values out. [`coroutine`]: values out, arguments in. Both make a [`Gen`], with nothing on the heap.
//! - [`Boxed`], [`BoxedSend`]: on the heap, the body's type forgotten. [`Shared`]: with several owners.
//! - [`recursive`]: one that calls itself, at any depth.
//! - `async_generator`, `async_coroutine` (feature `stream`): the body may await other things.
//!
//! # Write its body
//!
//! - [`Co`]: the handle; [`yield_`](Co::yield_), [`yield_from`](Co::yield_from), [`yield_all`](Co::yield_all).
//! - [`Rec`]: the handle of one level of a recursion.
//!
//! # Run it
//!
//! - [`Iterator`], if its argument is `()`.
//! - [`Coroutine`]: `resume`, `close`, and the trait for coroutines written by hand. [`CoroutineState`]: what comes back.
//! - [`Coroutine::state`]: an [`ExecutionState`], as Python's `inspect.getgeneratorstate`.
//! - [`CoroutineExt`]: `send`, `throw`, `close_with`. [`ResumeError`], [`Ignored`]: what can go wrong.
//!
//! # Run many
//!
//! - [`interleave!`]: a few in turn, without a heap. [`Scheduler`]: any number, with priorities and sleepers.
//!
//! # Features
//!
//! `std` (default; implies `alloc`), `alloc`, `stream`. Without `alloc`, what needs no heap is there.

#![no_std]
#![cfg_attr(
    not(feature = "std"),
    allow(rustdoc::broken_intra_doc_links, reason = "names items that need std")
)]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "stream")]
mod async_generator;
#[cfg(feature = "stream")]
pub use async_generator::{AsyncGen, async_coroutine, async_generator};

mod combinators;
#[cfg(feature = "alloc")]
pub use combinators::{Id, Scheduler};
pub use combinators::{Interleave, Lanes};

mod coroutine;
pub use coroutine::Coroutine;

mod error;
pub use error::{Ignored, ResumeError};

mod generator;
pub use generator::{Gen, coroutine, generator};

mod handle;
pub use handle::{Co, Yield};

#[cfg(feature = "alloc")]
mod handles;
#[cfg(feature = "std")]
pub use handles::Shared;
#[cfg(feature = "alloc")]
pub use handles::{Boxed, BoxedAs, BoxedSend, Rec, Recursive, recursive};

#[allow(unsafe_code, reason = "the only directory that needs it")]
mod raw;

mod send;
pub use send::{CoroutineExt, Message, Throw};

mod state;
pub use state::{CoroutineState, ExecutionState};

/// The README's programs are run as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
