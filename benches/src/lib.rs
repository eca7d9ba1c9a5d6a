//! Which model for my workload: processes, threads, coroutines or an event loop?
//!
//! The parts of the `compare` program, in the order in which data flows through them. A
//! [`Plan`] says what to run; a [`Model`] runs it and gives an [`Outcome`] per task; the
//! [`measure`] module does so in a process of its own and yields a [`Run`]; [`rounds`] of them, taken
//! in turn, make a [`Row`]; [`report`] turns rows into a table, sentences, a page and JSON.
//!
//! ```
//! use benches::{Model, Plan, Workload};
//!
//! let plan = Plan::new(Workload::Primes, 4);
//! let serial = Model::Serial.run(&plan)?;
//! let threads = Model::ThreadPool.run(&plan)?;
//! assert_eq!(benches::checksum(&serial), benches::checksum(&threads));
//! # Ok::<(), benches::Failed>(())
//! ```
//!
//! # What is done
//! - [`Workload`]: seven kinds of work, CPU-bound, IO-bound and mixed; [`Mix`] says how mixed.
//! - [`Unit`]: one task of a workload, run blocking, polled or awaited.
//! - [`Service`]: the TCP and HTTP services that the IO-bound workloads ask.
//!
//! # How it is done
//! - [`Model`]: nine ways of running many units, one file each.
//! - [`Plan`] and [`Outcome`]: what goes in and what comes out, with a [`Trace`] of each [`Span`] and [`What`] it did, if wanted.
//!
//! # What it cost
//! - [`Contender`]: a model in a [`Language`].
//! - [`measure`]: time, processor time, memory and context switches of one [`Run`].
//! - [`lead`]: which of two rates is ahead, and which are level.
//! - [`rounds`]: several contenders in turn, several times over; [`size`] says with how many tasks, [`limits`] what
//!   this machine does not let a model do, [`duration`] reads times, [`python`] runs the
//!   models in Python.
//! - [`compare`]: the whole comparison, with its [`Options`] (and the [`SWEEP`] in it), its [`Progress`] and its [`Results`]: each is a [`Row`], or [`LeftOut`].
//! - [`map`]: who wins where, between computing and waiting, one at a time and many.
//! - [`timeline`]: who ran when, as lanes.
//! - [`advice`]: which model to use for a [`Wish`], and why.
//! - [`command`]: the program's subcommands.
//! - [`report`]: table, verdicts, page and JSON; [`output`] prints them.
//!
//! # Against others
//! - `peers` (feature of the same name): our crates against their peers, every ratio with its target.

pub mod advice;
pub mod clock;
pub mod command;
pub mod compare;
mod contender;
pub mod duration;
mod error;
mod guide;
pub mod lead;
pub mod limits;
pub mod map;
pub mod measure;
mod memory;
mod mix;
mod model;
mod options;
pub mod output;
#[cfg(feature = "peers")]
pub mod peers;
mod plan;
mod progress;
pub mod python;
pub mod report;
pub mod rounds;
mod row;
mod scratch;
mod service;
mod simplicity;
pub mod size;
mod tape;
pub mod timeline;
mod wish;
mod workload;

pub use contender::{Contender, Language};
pub use error::Failed;
pub use measure::Run;
pub use mix::Mix;
pub use model::Model;
pub use options::{Options, SWEEP};
pub use plan::{Outcome, Plan, checksum};
pub use progress::Progress;
pub use row::{LeftOut, Results, Row};
pub use service::{Service, Services};
pub use tape::{Span, Trace, What};
pub use wish::Wish;
pub use workload::{Kind, Unit, Workload};

/// The README's programs are run as doc tests: here is the one place that sees all crates.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
